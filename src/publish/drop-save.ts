// The end of a save that is not wanted any more.

import { ignoreInterrupted } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import type { Engine } from "./engine.ts";
import { directoryOf } from "./order.ts";
import type { Save } from "./save.ts";
import { dropChanges } from "./save-records.ts";
import type { Slot } from "./slot.ts";
import { leaveUploadSlot } from "./upload-slot.ts";

const FORGET_PAUSE_MS = 1000;

/** Ends what is being sent of it, gives up its place in the order, frees its spill. Its records are the caller's. */
export function dropSave(engine: Engine, save: Save): void {
  leaveSave(engine, save);
  engine.background.run(`freeing the spill of ${save.record.id}`, () => save.content.free());
}

/** Its records cannot be deleted now, the disk is full: until they are, a restart brings it back as an interrupted save. */
export function forgetLater({ background, catalog, clock, stop }: Engine, save: Save): void {
  background.run(`forgetting ${save.record.id}`, async () => {
    const isForgotten = (): Promise<boolean> =>
      catalog.apply(dropChanges(save), { sync: false }).then(
        () => true,
        () => false,
      );
    do {
      await clock.sleep(FORGET_PAUSE_MS, stop).catch(ignoreInterrupted);
    } while (!stop.aborted && !(await isForgotten()));
  });
}

/** What an interrupted save has left at a key goes. @returns the deletion of its records. */
export function dropInterrupted(engine: Engine, slot: Slot): Change[] {
  const { interrupted } = slot;
  if (interrupted === undefined) return [];
  slot.interrupted = undefined;
  const changes = dropChanges(interrupted);
  dropSave(engine, interrupted);
  return changes;
}

/** The same as `dropSave`, but its content stays. */
export function leaveSave(engine: Engine, save: Save): void {
  save.abandon.abort();
  engine.needs.remove(save);
  engine.saves.delete(save.record.id);
  leaveUploadSlot(engine, save);
  const { state, key } = save.record;
  if ("order" in state) engine.order.leave(state.order, directoryOf(key));
}
