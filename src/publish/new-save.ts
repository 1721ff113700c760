// A save in memory with its content, and the record it begins with. Entered nowhere yet.

import {
  type Attributes,
  type Base,
  type Etag,
  type Held,
  type Ino,
  type Key,
  type SaveRecord,
  type Source,
  toPartNumber,
} from "../model/mod.ts";
import type { Head } from "../spill/mod.ts";
import { Content } from "./content.ts";
import type { Engine } from "./engine.ts";
import { newSaveId } from "./ids.ts";
import { readBase } from "./read-base.ts";
import { Save } from "./save.ts";
import type { Slot } from "./slot.ts";
import { startPart } from "./start-part.ts";

/** What a new save starts as. */
export type Origin =
  | { readonly kind: "empty"; readonly base: Base }
  | { readonly kind: "object"; readonly etag: Etag; readonly size: number }
  | { readonly kind: "save"; readonly save: Save };

/** @param wake told when a part of it can be sent. */
export function newSave(engine: Engine, record: SaveRecord, wake: (slot: Slot) => void): Save {
  const save: Save = new Save(
    record,
    new Content({
      save: record.id,
      plan: engine.plan,
      spill: engine.spill,
      small: {
        catalog: engine.catalog,
        room: engine.room,
        head: () => headOf(save.record),
      },
      readBase: (offset, length, signal) => readBase(engine, save, { offset, length }, signal),
      onChange: (partNumber) => {
        const upload = save.isNameless ? undefined : engine.slots.get(save.uploadKey)?.upload;
        upload?.attempts.get(toPartNumber(partNumber))?.abort.abort();
      },
      startPart: (part, signal) => startPart(engine, save, part, signal),
      onFrozen: () => {
        const slot = engine.slots.get(save.record.key);
        if (slot !== undefined) wake(slot);
      },
    }),
  );
  return save;
}

/** What salvage finds in the spill. */
function headOf({ key, ino, attributes }: SaveRecord): Head {
  return { key, ino, attributes };
}

/** Open and empty. */
export function newRecord(of: {
  key: Key;
  ino: Ino;
  attributes: Attributes;
  base: Base;
  source?: Source | undefined;
  held?: Held | undefined;
}): SaveRecord {
  const { key, ino, attributes, base, source, held } = of;
  return {
    id: newSaveId(),
    key,
    ino,
    base: base.kind === "object" ? { kind: "object", etag: base.etag, size: base.size } : base,
    ...(source === undefined ? {} : { source }),
    attributes,
    size: 0,
    fsynced: false,
    ...(held === undefined ? {} : { held }),
    state: { kind: "open" },
  };
}

/** What it replaces, and where its unchanged parts lie. */
export function underneath(origin: Origin): { base: Base; source?: Source | undefined } {
  switch (origin.kind) {
    case "empty":
      return { base: origin.base };
    case "object":
      return { base: origin };
    case "save":
      return { base: origin.save.record.base, source: origin.save.record.source };
  }
}
