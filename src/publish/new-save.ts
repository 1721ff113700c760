// A save in memory with its content, and the record it begins with. Entered nowhere yet.

import {
  type Attributes,
  type Base,
  type Held,
  type Ino,
  type Key,
  type SaveRecord,
  toPartNumber,
} from "../model/mod.ts";
import type { Head } from "../spill/mod.ts";
import { Content } from "./content.ts";
import type { Engine } from "./engine.ts";
import { newSaveId } from "./ids.ts";
import { readBase } from "./read-base.ts";
import { Save } from "./save.ts";
import type { Slot } from "./slot.ts";

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
  held?: Held | undefined;
}): SaveRecord {
  const { key, ino, attributes, base, held } = of;
  return {
    id: newSaveId(),
    key,
    ino,
    base: base.kind === "object" ? { kind: "object", etag: base.etag, size: base.size } : base,
    attributes,
    size: 0,
    fsynced: false,
    ...(held === undefined ? {} : { held }),
    state: { kind: "open" },
  };
}
