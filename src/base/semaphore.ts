// A bounded number of permits, given out by priority: the smallest first, then in order of asking.

import { KodomountError } from "./error.ts";
import { invariant } from "./invariant.ts";

interface Waiter {
  readonly priority: number;
  readonly grant: () => void;
}

export class Semaphore {
  #permits: number;
  /** Negative after the number was lowered, until that many were given back. */
  #free: number;
  /** INVARIANT: sorted by priority, then by arrival; empty while a permit is free. */
  readonly #waiters: Waiter[] = [];

  /** @param permits how many may hold one at the same time, at least 1. */
  constructor(permits: number) {
    assertPermits(permits);
    this.#permits = permits;
    this.#free = permits;
  }

  /** Permits that are held now. */
  get held(): number {
    return this.#permits - this.#free;
  }

  /** From now on there are so many permits; those that are held stay so. */
  resize(permits: number): void {
    assertPermits(permits);
    this.#free += permits - this.#permits;
    this.#permits = permits;
    this.#serve();
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
        this.#free += 1;
        this.#serve();
      },
    };
  }

  #serve(): void {
    while (this.#free > 0) {
      const next = this.#waiters.shift();
      if (next === undefined) return;
      this.#free -= 1;
      next.grant();
    }
  }
}

function assertPermits(permits: number): void {
  invariant(
    Number.isInteger(permits) && permits >= 1,
    `a semaphore has at least one permit: received ${permits}`,
  );
}

function interrupted(): KodomountError {
  return new KodomountError("Interrupted", "The wait for a permit was interrupted");
}
