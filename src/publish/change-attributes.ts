// New attributes of what is pending: with the save, so that they reach the object's metadata, or with the copy that a rename
// has ordered.

import type { Change, ObjectRecord } from "../catalog/mod.ts";
import type { Attributes } from "../model/mod.ts";
import type { Engine } from "./engine.ts";
import { wantAttributes } from "./persist-attributes.ts";
import type { Save } from "./save.ts";
import type { CopyWant, Slot } from "./slot.ts";

/**
 * Changes mode, owner, times or xattrs of a save that is pending, or is being committed at this moment.
 * @returns false when no record keeps it any more; in memory it is changed all the same.
 */
export async function changeAttributes(
  engine: Engine,
  save: Save,
  change: (before: Attributes) => Attributes,
): Promise<boolean> {
  save.record = { ...save.record, attributes: change(save.record.attributes) };
  const { record, made } = save;
  const slot = engine.slots.get(record.key);
  if (slot?.open !== save && slot?.closed !== save && slot?.next !== save) return false;
  // Of an open file nothing is promised: the catalog hears of it with the fsync or close.
  if (record.state.kind === "open") return true;
  // A save's record that is written behind its deletion would come back at the next start.
  const kept: Change[] =
    made === undefined
      ? [{ put: "save", record }]
      : keptObject(engine, { ...made, attributes: record.attributes });
  await engine.catalog.apply(kept, { sync: false });
  return true;
}

/**
 * New attributes of an object of which nothing is pending.
 * @returns the slot that has something to do now.
 */
export async function changeObjectAttributes(
  engine: Engine,
  record: ObjectRecord,
): Promise<Slot | undefined> {
  await engine.catalog.apply(keptObject(engine, record), { sync: false });
  return engine.slots.get(record.key);
}

/**
 * What this machine knows of an object from now on, and what makes the object's metadata say so, too.
 * @param metadata what it is known to have.
 */
export function keptObject(
  engine: Engine,
  record: ObjectRecord,
  metadata?: Readonly<Record<string, string>>,
): Change[] {
  const kept: Change[] = [{ put: "object", record }];
  if (engine.persistAttributes)
    kept.push(...wantAttributes(engine, engine.slots.of(record.key), record, metadata));
  return kept;
}

/** @returns false when `want` is not wanted any more. */
export async function changeCopyAttributes(
  engine: Engine,
  slot: Slot,
  want: CopyWant,
  attributes: Attributes,
): Promise<boolean> {
  if (slot.want !== want) return false;
  slot.want = { ...want, attributes };
  await engine.catalog.apply([{ put: "want", key: slot.key, want: slot.want }], { sync: false });
  return true;
}
