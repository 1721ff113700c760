// The operator's orders for what is kept: publish or drop what was interrupted, try again or drop what was parked, settle
// a conflict. Only `keep-mine` replaces an object of another client, and only the version that is there when it is given.

import {
  anySignal,
  codeOf,
  invariant,
  KodomountError,
  newAbort,
  unreachable,
} from "../base/mod.ts";
import type { Base, SaveRecord } from "../model/mod.ts";
import type { ObjectHead } from "../store/mod.ts";
import type { Engine } from "./engine.ts";
import { directoryOf } from "./order.ts";
import type { Publisher } from "./publisher.ts";
import type { Save } from "./save.ts";
import type { Slot } from "./slot.ts";

export type OperatorOrder = "publish" | "drop" | "retry" | "keep-mine" | "keep-theirs";

/** A person waits for the answer, not for the end of an outage. */
const LOOK_MS = 5000;

/**
 * @throws `Invalid` when the save is not in a state for it; `Busy` when its key is being saved anew; `Conflict` when ours
 * cannot be kept; `Unreachable` when the store cannot be asked what would be replaced.
 */
export async function act(
  engine: Engine,
  publisher: Publisher,
  kind: OperatorOrder,
  save: Save,
): Promise<void> {
  const { state } = save.record;
  const isConflict = state.kind === "parked" && state.why === "Conflict";
  switch (kind) {
    case "retry":
      if (state.kind === "parked") return unpark(engine, publisher, save, save.record.base);
      break;
    case "keep-mine":
      if (isConflict) return keepMine(engine, publisher, save);
      break;
    case "keep-theirs":
      if (isConflict) return drop(engine, publisher, save);
      break;
    case "publish":
      if (state.kind === "interrupted") return publishInterrupted(publisher, save);
      break;
    case "drop":
      if (state.kind === "interrupted" || state.kind === "parked")
        return drop(engine, publisher, save);
      break;
    default:
      unreachable(kind);
  }
  throw new KodomountError("Invalid", refusal(kind, save.record));
}

/** It takes a new place in the order of closes, and the bucket is looked at before anything is published. */
async function unpark(engine: Engine, publisher: Publisher, save: Save, base: Base): Promise<void> {
  const slot = publisher.slotOf(save.record.key);
  const place = engine.order.take(directoryOf(slot.key), engine.clock.now());
  const closed = save.after({ kind: "unpark" });
  invariant(closed.state.kind === "closed", "an unparked save is closed");
  save.record = {
    ...closed,
    base,
    state: { ...closed.state, order: place, closedAt: engine.clock.now() },
  };
  slot.look = true;
  await engine.catalog.apply([{ put: "save", record: save.record }], { sync: true });
  publisher.wake(slot);
}

/** What is there now becomes what this save is to replace: something newer than that is a conflict again. */
async function keepMine(engine: Engine, publisher: Publisher, save: Save): Promise<void> {
  const { record, content } = save;
  const isMixed = content.partNumbers().some((number) => content.part(number).kind === "base");
  if (isMixed && record.source === undefined)
    throw new KodomountError(
      "Conflict",
      `Cannot keep '${record.key}' of this machine: parts of it were to stay as they were in the object that another client has replaced; save it again as a whole, or keep theirs`,
    );
  const slot = publisher.slotOf(record.key);
  const head = await look(engine, slot);
  if (slot.closed !== save)
    throw new KodomountError("Invalid", `'${record.key}' was saved anew or dropped meanwhile`);
  const base: Base =
    head === undefined ? { kind: "absent" } : { kind: "object", etag: head.etag, size: head.size };
  await unpark(engine, publisher, save, base);
}

async function look(engine: Engine, slot: Slot): Promise<ObjectHead | undefined> {
  const late = newAbort();
  const cancel = engine.clock.after(LOOK_MS, () => late.abort());
  try {
    return await engine.store.head(slot.key, anySignal(late.signal, engine.stop));
  } catch (error) {
    if (codeOf(error) !== "Interrupted") throw error;
    throw new KodomountError(
      "Unreachable",
      `The store does not say what is at '${slot.key}' now: ${engine.troubles.of(slot.key)?.error ?? "no answer"}; nothing was changed, try again later`,
      { cause: error },
    );
  } finally {
    cancel();
  }
}

async function publishInterrupted(publisher: Publisher, save: Save): Promise<void> {
  const slot = publisher.slotOf(save.record.key);
  if (slot.open !== undefined || slot.closed !== undefined)
    throw new KodomountError(
      "Busy",
      `${slot.key} is being saved anew: that will replace the interrupted one`,
    );
  slot.interrupted = undefined;
  // Its writer may have died long ago: others may have written there since.
  slot.look = true;
  // Its sending was given up when its writer died.
  save.abandon = newAbort();
  return publisher.close(save, { durable: true });
}

async function drop(engine: Engine, publisher: Publisher, save: Save): Promise<void> {
  await publisher.discard(save);
  engine.onObjectChanged(save.record.key, "unknown");
}

function refusal(kind: OperatorOrder, { key, state }: SaveRecord): string {
  const isResolve = kind === "keep-mine" || kind === "keep-theirs";
  if (isResolve && state.kind === "parked")
    return `Cannot resolve '${key}': it is parked for another reason (${state.why}); mend that and 'retry', or 'drop' it`;
  return `Cannot ${isResolve ? "resolve" : kind} '${key}': it is ${state.kind}`;
}
