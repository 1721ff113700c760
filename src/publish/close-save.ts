// The close of a file: from then on it must be published or parked.

import { step } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import { dropSave } from "./drop-save.ts";
import type { Engine } from "./engine.ts";
import { directoryOf } from "./order.ts";
import type { CloseOptions } from "./publisher.ts";
import type { Save } from "./save.ts";
import { dropChanges, partChanges } from "./save-records.ts";
import type { Slot } from "./slot.ts";

/**
 * A closed save of the key that is pending is superseded; one whose completing request is under way goes first.
 * @throws what the disk says; then nothing was promised, and everything is as it was.
 */
export async function closeSave(engine: Engine, save: Save, options: CloseOptions): Promise<void> {
  await save.content.freezeAll();
  // What takes the place of something promised is all that is left of the promise, whoever waits for what.
  const replaced = engine.slots.get(save.record.key)?.newestClosed;
  const durable = options.durable || replaced !== undefined;
  if (durable) await save.content.sync();
  step("save.closing");
  if (save.isNameless) return; // removed meanwhile: there is nothing to publish
  const slot = engine.slots.of(save.record.key);
  const { want, closed, next } = slot;
  const opened = save.record;
  const isBehind = closed?.record.state.kind === "completing";
  const superseded = isBehind ? next : closed;
  const changes = closeChanges(engine, save, slot, durable);
  if (superseded !== undefined) changes.push(...dropChanges(superseded));
  if (options.reply !== undefined) changes.push({ put: "reply", record: options.reply });
  if (isBehind) slot.next = save;
  else slot.closed = save;
  slot.want = undefined;
  if (slot.open === save) slot.open = undefined;
  engine.needs.add(save);
  if (superseded !== undefined) superseded.supersededBy = save;
  save.isClosing = true;
  try {
    await engine.catalog.apply(changes, { sync: durable });
  } catch (error) {
    if (save.record.state.kind === "closed") undo(engine, slot, { save, superseded, want, opened });
    throw error;
  } finally {
    save.isClosing = false;
  }
  step("save.closed");
  if (want?.kind === "copy") engine.order.leave(want.order, directoryOf(slot.key));
  if (superseded !== undefined) dropSave(engine, superseded);
}

/** Its place in the order of closes, and everything a restart needs to go on from here. */
function closeChanges(engine: Engine, save: Save, slot: Slot, durable: boolean): Change[] {
  const { order, clock } = engine;
  const closedAt = clock.now();
  const place = order.take(directoryOf(slot.key), closedAt);
  const closed = save.after({ kind: "close", size: save.content.size, closedAt, order: place });
  save.record = { ...closed, fsynced: durable };
  const changes: Change[] = [{ put: "save", record: save.record }, ...partChanges(save)];
  if (slot.want !== undefined) changes.push({ del: "want", key: slot.key });
  return changes;
}

/** The catalog has nothing of it: what was there before is there again. */
function undo(
  engine: Engine,
  slot: Slot,
  before: {
    save: Save;
    superseded: Save | undefined;
    want: Slot["want"];
    opened: Save["record"];
  },
): void {
  const { save, superseded, want, opened } = before;
  if ("order" in save.record.state)
    engine.order.leave(save.record.state.order, directoryOf(slot.key));
  save.record = opened;
  if (slot.next === save) slot.next = superseded;
  else if (slot.closed === save) slot.closed = superseded;
  if (superseded !== undefined) {
    superseded.supersededBy = undefined;
    superseded.isDropped = false;
  }
  slot.want ??= want;
  slot.open ??= save;
}
