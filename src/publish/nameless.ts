// Content whose name is gone while somebody has it open: read and written until the last handle is released. It is entered
// at no key and in no record, so a crash forgets it. What it needs of an object is fetched before that object goes.

import { newAbort } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import { leaveSave } from "./drop-save.ts";
import type { Engine } from "./engine.ts";
import { Save } from "./save.ts";
import { partChanges } from "./save-records.ts";
import type { Slot } from "./slot.ts";

/** Who has the file open whose name goes. */
export interface Keeper {
  /** What the bucket has, as content of its own; undefined when what is there is pending. */
  readonly spare: Save | undefined;
  /** Told at once what is read and written from now on. */
  take(save: Save): void;
}

/** A closed save, as content that may be written to. Its records are the caller's. */
export function adoptClosed(engine: Engine, closed: Save): Save {
  leaveSave(engine, closed);
  closed.isNameless = true;
  const save = new Save({ ...closed.record, state: { kind: "open" } }, closed.content);
  keepNameless(engine, save);
  return save;
}

/** From now on it has no name. Its own waits end, and what it needs of the object underneath is fetched. */
export function keepNameless(engine: Engine, save: Save): void {
  leaveSave(engine, save);
  save.isNameless = true;
  save.abandon = newAbort();
  engine.needs.add(save);
  engine.needs.fetch(save);
}

/** It gets a name: from now on it is an open save like any other. @returns the records of that. */
export function enterNameless(engine: Engine, save: Save, slot: Slot): Change[] {
  save.isNameless = false;
  const { size } = save.content;
  save.record = { ...save.record, key: slot.key, base: { kind: "absent" }, size };
  slot.open = save;
  engine.saves.set(save.record.id, save);
  return [{ put: "save", record: save.record }, ...partChanges(save)];
}
