// The only file that may ask for the time or set a timer: tests put a clock of their own here.

import { KodomountError } from "./error.ts";

export interface Clock {
  /** Milliseconds since the epoch, as the wall clock says. */
  now(): number;
  /** Milliseconds that only ever grow, from an arbitrary start: for intervals. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with `Interrupted` when `signal` aborts first. Does not keep the process alive when `unref`. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `task` after `ms`, once; the returned function cancels it. */
  after(ms: number, task: () => void): () => void;
}

/** In [0, 1), to spread what would otherwise happen at the same moment. */
export function jitter(): number {
  return Math.random();
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      const interrupted = (): void =>
        reject(new KodomountError("Interrupted", "The wait was interrupted"));
      if (signal?.aborted) return interrupted();
      const onAbort = (): void => {
        clearTimeout(timer);
        interrupted();
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves when everything else that the event loop has to do has had its turn: between slices of long work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
