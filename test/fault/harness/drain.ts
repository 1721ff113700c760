// Waits until all that is owed to the bucket is there, or kept for the operator.

import { systemClock } from "../../../src/base/mod.ts";
import { toSaveId } from "../../../src/model/mod.ts";
import type { Publisher } from "../../../src/publish/mod.ts";
import type { Machine } from "./machine.ts";

/** Nothing takes as long, in the time of the world, on a busy machine. */
const DRAIN_MAX_MS = 60_000;
const PAUSE_MS = 2;

/** What needs no more work of ours: it waits for a person, or for its rename. */
const KEPT: ReadonlySet<string> = new Set(["interrupted", "parked", "held"]);

/** Returns also when the mount dies meanwhile. @throws when it takes too long, with what is pending. */
export async function drain(machine: Machine): Promise<void> {
  const end = systemClock.monotonic() + DRAIN_MAX_MS;
  const { life, running } = machine;
  if (running === undefined) return;
  while (!life.isOver) {
    const { publisher } = running;
    publisher.hurry();
    const left = publisher.pending().filter(({ state }) => !KEPT.has(state));
    if (left.length === 0) return;
    if (systemClock.monotonic() > end) throw new Error(`still pending: ${JSON.stringify(left)}`);
    await systemClock.sleep(PAUSE_MS);
  }
}

/** The operator tries again what the store has refused. */
export async function retryParked(publisher: Publisher): Promise<void> {
  for (const { state, save } of publisher.pending()) {
    const found = state === "parked" ? find(publisher, save) : undefined;
    if (found !== undefined) await publisher.act("retry", found);
  }
}

/** The operator drops what is kept for him. */
export async function dropKept(publisher: Publisher): Promise<void> {
  for (const { state, save } of publisher.pending()) {
    const found = state === "parked" || state === "interrupted" ? find(publisher, save) : undefined;
    if (found !== undefined) await publisher.act("drop", found);
  }
}

export function find(
  publisher: Publisher,
  id: string | undefined,
): ReturnType<Publisher["findSave"]> {
  return id === undefined ? undefined : publisher.findSave(toSaveId(id));
}
