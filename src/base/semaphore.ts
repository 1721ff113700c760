// A bounded number of permits, given out by priority: the smallest first, then in order of asking.

import { KodomountError } from "./error.ts";
import { invariant } from "./invariant.ts";

interface Waiter {
  readonly priority: number;
  readonly grant: () => void;
}

export class Semaphore {
  #free: number;
  /** INVARIANT: sorted by priority, then by arrival; empty while a permit is free. */
  readonly #waiters: Waiter[] = [];

  /** @param permits how many may hold one at the same time, at least 1. */
  constructor(permits: number) {
    invariant(
      Number.isInteger(permits) && permits >= 1,
      `a semaphore has at least one permit: received ${permits}`,
    );
    this.#free = permits;
  }

  /** How many are waiting. */
  get waiting(): number {
    return this.#waiters.length;
  }

  /**
   * `using permit = await semaphore.acquire(...)`.
   * @param priority smaller goes first.
   * @throws `Interrupted` when `signal` aborts before a permit was had.
   */
  acquire(priority = 0, signal?: AbortSignal): Promise<Disposable> {
    if (signal?.aborted) return Promise.reject(interrupted());
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(this.#permit());
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(interrupted());
      };
      const waiter: Waiter = {
        priority,
        grant: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve(this.#permit());
        },
      };
      const later = this.#waiters.findIndex((other) => other.priority > priority);
      this.#waiters.splice(later < 0 ? this.#waiters.length : later, 0, waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #permit(): Disposable {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const next = this.#waiters.shift();
        if (next) next.grant();
        else this.#free += 1;
      },
    };
  }
}

function interrupted(): KodomountError {
  return new KodomountError("Interrupted", "The wait for a permit was interrupted");
}
