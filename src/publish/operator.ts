// The operator's orders for what is kept: publish or drop what was interrupted, try again or drop what was parked.

import { invariant, KodomountError, newAbort } from "../base/mod.ts";
import type { Engine } from "./engine.ts";
import { directoryOf } from "./order.ts";
import type { Publisher } from "./publisher.ts";
import type { Save } from "./save.ts";

export type OperatorOrder = "publish" | "drop" | "retry";

/** @throws `Invalid` when the save is not in a state for it; `Busy` when its key is being saved anew. */
export async function act(
  engine: Engine,
  publisher: Publisher,
  kind: OperatorOrder,
  save: Save,
): Promise<void> {
  const { state } = save.record;
  const slot = publisher.slotOf(save.record.key);
  if (kind === "retry" && state.kind === "parked") {
    const place = engine.order.take(directoryOf(slot.key), state.closedAt);
    const closed = save.after({ kind: "unpark" });
    invariant(closed.state.kind === "closed", "an unparked save is closed");
    save.record = {
      ...closed,
      base: { kind: "absent" },
      state: { ...closed.state, order: place, closedAt: engine.clock.now() },
    };
    slot.look = false;
    await engine.catalog.apply([{ put: "save", record: save.record }], { sync: true });
    return publisher.wake(slot);
  }
  if (kind === "publish" && state.kind === "interrupted") {
    if (slot.open !== undefined || slot.closed !== undefined)
      throw new KodomountError(
        "Busy",
        `${slot.key} is being saved anew: that will replace the interrupted one`,
      );
    slot.interrupted = undefined;
    // Its sending was given up when its writer died.
    save.abandon = newAbort();
    return publisher.close(save, { durable: true });
  }
  if (kind === "drop" && (state.kind === "interrupted" || state.kind === "parked")) {
    await publisher.discard(save);
    return engine.onObjectChanged(slot.key, "unknown");
  }
  throw new KodomountError("Invalid", `Cannot ${kind} '${slot.key}': it is ${state.kind}`);
}
