// What a close waits for.

import { type Code, describe, KodomountError } from "../base/mod.ts";
import type { Engine } from "./engine.ts";
import { orderOf } from "./evidence.ts";
import type { Save } from "./save.ts";
import type { Slot } from "./slot.ts";

/**
 * Resolves when a closed save, or what has superseded it, is in the bucket.
 * @throws the code of the refusal when it was parked; `Interrupted` when `signal` aborts (the save goes on).
 */
export async function published(engine: Engine, closed: Save, signal?: AbortSignal): Promise<void> {
  let save = closed;
  for (;;) {
    while (save.supersededBy !== undefined) save = save.supersededBy;
    if (!engine.saves.has(save.record.id)) return;
    const slot = engine.slots.of(save.record.key);
    const { state } = save.record;
    if (state.kind === "parked") throw parkedError(slot, state.why);
    if ("order" in state) engine.pace.hurry(state.order);
    await slot.changed.wait(signal);
  }
}

/** The lag rule for a save that is closed: resolves when nothing that was closed before it is overdue. */
export async function withinLag(engine: Engine, save: Save, signal: AbortSignal): Promise<void> {
  // What is held has no place yet: it comes after all that was closed so far.
  const isHeld = save.record.state.kind === "held";
  const place = isHeld ? Number.MAX_SAFE_INTEGER : orderOf(save);
  await engine.order.withinLag(place, signal);
}

function parkedError(slot: Slot, why: Code): KodomountError {
  return new KodomountError(
    why,
    `${slot.key} is kept but cannot be published: ${slot.lastError ?? describe(why)}; see 'kodomount uploads'`,
  );
}
