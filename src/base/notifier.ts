// Lets many wait until "something has changed"; each looks again at the state it waits for.

import { KodomountError } from "./error.ts";

export class Notifier {
  readonly #waiting = new Set<() => void>();

  /** How many wait now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Wakes everybody who waits now, or the `count` that have waited longest. */
  notify(count: number = this.#waiting.size): void {
    const waiting = [...this.#waiting].slice(0, count);
    for (const wake of waiting) this.#waiting.delete(wake);
    for (const wake of waiting) wake();
  }

  /** Resolves at the next `notify`. @throws `Interrupted` when `signal` aborts first. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const interrupted = (): void => {
        this.#waiting.delete(wake);
        reject(new KodomountError("Interrupted", "The wait was interrupted"));
      };
      const wake = (): void => {
        signal?.removeEventListener("abort", interrupted);
        resolve();
      };
      if (signal?.aborted) return interrupted();
      this.#waiting.add(wake);
      signal?.addEventListener("abort", interrupted, { once: true });
    });
  }
}
