// One at a time, in order of asking. The permit is a disposable, so release cannot be forgotten.

import { KodomountError } from "./error.ts";

export class Mutex {
  #held = false;
  readonly #waiters: (() => void)[] = [];

  /**
   * `using _ = await mutex.acquire(signal)`: resolves when everybody who asked earlier has released.
   * @throws `Interrupted` when `signal` aborts first; the place in the queue is given up then.
   */
  acquire(signal?: AbortSignal): Promise<Disposable> {
    if (signal?.aborted) return Promise.reject(interrupted());
    if (!this.#held) {
      this.#held = true;
      return Promise.resolve(this.#permit());
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(grant), 1);
        reject(interrupted());
      };
      const grant = (): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve(this.#permit());
      };
      this.#waiters.push(grant);
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
        if (next) next();
        else this.#held = false;
      },
    };
  }
}

function interrupted(): KodomountError {
  return new KodomountError("Interrupted", "The wait for a turn was interrupted");
}
