// The end of a save whose writer died, or whose temporary name was never renamed: kept, hidden, not published by itself.

import { describe } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import { isDirectoryKey, type SaveRecord } from "../model/mod.ts";
import { dropInterrupted, dropSave } from "./drop-save.ts";
import type { Engine } from "./engine.ts";
import type { Save } from "./save.ts";
import { dropChanges, partChanges } from "./save-records.ts";
import type { Slot } from "./slot.ts";
import { leaveUploadSlot } from "./upload-slot.ts";

/** Its writer died, or it was never renamed. @returns the slots that have changed. */
export async function interruptSave(engine: Engine, save: Save): Promise<Slot[]> {
  await freezeIfPossible(engine, save);
  save.abandon.abort();
  const from = engine.slots.of(save.record.key);
  const why = save.record.state.kind === "held" ? "was never renamed" : "lost its writer";
  const since = engine.clock.now();
  const record = save.after({ kind: "interrupt", since, size: save.content.size });
  const { changes, slot } = enterInterrupted(engine, save, record);
  if (slot.interrupted === save) changes.push(...partChanges(save));
  await engine.catalog.apply(changes, { sync: false });
  engine.log.warn(
    { key: from.key, save: save.record.id },
    `${from.key} ${why}: what was written is kept, not published; see 'kodomount uploads'`,
  );
  return [from, slot];
}

/**
 * Enters it as the interrupted one of its key; under a held name, of the key that it was to be renamed to, whose next
 * save then takes its place.
 * @param record in state `interrupted`.
 * @returns what to write into the catalog before anything else is done, and where it is now.
 */
export function enterInterrupted(
  engine: Engine,
  save: Save,
  record: SaveRecord,
): { changes: Change[]; slot: Slot } {
  const from = engine.slots.get(save.record.key);
  if (from?.open === save) from.open = undefined;
  if (from?.closed === save) from.closed = undefined;
  leaveUploadSlot(engine, save);
  engine.needs.remove(save);
  const { held, ...rest } = record;
  save.record = { ...rest, key: held?.final ?? record.key };
  const slot = engine.slots.of(save.record.key);
  // A directory that was to be renamed has nothing in it that is worth keeping.
  if (held !== undefined && isDirectoryKey(record.key)) {
    dropSave(engine, save);
    return { changes: dropChanges(save), slot };
  }
  const changes: Change[] = [
    { put: "save", record: save.record },
    ...dropInterrupted(engine, slot),
  ];
  slot.interrupted = save;
  return { changes, slot };
}

/** On a disk that is full what was written stays as a crash would leave it. */
async function freezeIfPossible(engine: Engine, save: Save): Promise<void> {
  try {
    await save.content.freezeAll();
  } catch (error) {
    engine.log.warn(
      { key: save.record.key, err: error },
      `The end of what was written to ${save.record.key} could not be kept: ${describe(error)}`,
    );
  }
}
