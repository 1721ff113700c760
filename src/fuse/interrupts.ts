// What an INTERRUPT means. The kernel sends one for any signal that its caller has got, a profiler's timer or a window's
// change of size included, and only for the first one. No local filesystem fails a call for such: it ends for a signal that
// people and systems end programs with, and an operation on names only when it takes long.

import type { Clock } from "../base/mod.ts";
import { Opcode } from "./layout.ts";

/** Operations that may wait for the network as long as it takes. */
const WAITING: ReadonlySet<number> = new Set([
  Opcode.READ,
  Opcode.WRITE,
  Opcode.FLUSH,
  Opcode.FSYNC,
]);
/** The others ask the store once, with a deadline: so long they go on as if there had been no signal. */
const GRACE_MS = 1000;
const POLL_MS = 200;

/** A request in progress. */
export interface Running {
  readonly controller: AbortController;
  readonly opcode: number;
  /** Thread that waits for it. */
  readonly pid: number;
}

/**
 * Ends the request when its caller is to end, now or later; returns when the request has ended.
 * @param isEnding whether a signal that ends programs is pending for a thread.
 */
export async function endWhenMeant(
  request: Running,
  at: {
    readonly isEnding: (pid: number) => Promise<boolean>;
    readonly isRunning: () => boolean;
    readonly clock: Clock;
  },
): Promise<void> {
  const { clock, isEnding, isRunning } = at;
  const since = clock.monotonic();
  while (isRunning()) {
    const mayEnd = WAITING.has(request.opcode) || clock.monotonic() - since >= GRACE_MS;
    if (mayEnd && (await isEnding(request.pid))) return request.controller.abort();
    await clock.sleep(POLL_MS);
  }
}
