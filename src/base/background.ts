// The one place where a promise may run without somebody waiting for it: failures are logged and counted, never lost.

import { describe } from "./error.ts";
import type { Log } from "./log.ts";

export class Background {
  readonly #log: Log;
  readonly #running = new Set<Promise<void>>();
  #failures = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** How many tasks have ended with an error so far. */
  get failures(): number {
    return this.#failures;
  }

  /** Starts `task`; `what` names it in the log line should it fail. */
  run(what: string, task: () => Promise<void>): void {
    const promise = task()
      .catch((error: unknown) => {
        this.#failures += 1;
        this.#log.error({ err: error, what }, `${what} failed: ${describe(error)}`);
      })
      .finally(() => this.#running.delete(promise));
    this.#running.add(promise);
  }

  /** Resolves when everything that was started, and what that started, has ended. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}
