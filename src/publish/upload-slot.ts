// Where the parts of a save go: to the upload of its key, or, under a held name, of the key that it will be renamed to.

import type { Engine } from "./engine.ts";
import type { Save } from "./save.ts";
import type { Slot } from "./slot.ts";

/** Undefined: nowhere yet, since its final name is not known, or something else is under way there. */
export function takeUploadSlot(engine: Engine, save: Save): Slot | undefined {
  const { held, key } = save.record;
  if (held === undefined) return engine.slots.of(key);
  if (held.final === undefined) return undefined;
  const slot = engine.slots.of(held.final);
  const taken = slot.guest !== undefined && slot.guest.record.key !== key;
  const isPending = slot.visible !== undefined || slot.isCopying;
  const isWanted = slot.want !== undefined && slot.want.kind !== "attributes";
  if (taken || isPending || isWanted) return undefined;
  slot.guest = save;
  return slot;
}

/** It is renamed, interrupted or dropped. What was sent stays with the key, for the next save of it. */
export function leaveUploadSlot(engine: Engine, save: Save): Slot | undefined {
  const slot = engine.slots.get(save.uploadKey);
  if (slot?.guest !== save) return undefined;
  slot.guest = undefined;
  return slot;
}
