// Whether something that reads can do without works. While it does not, it is left alone for a minute at a time.

import { type Clock, describe, type Log } from "../base/mod.ts";

export interface HealthOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** For the log: what has failed; the reason is added. */
  readonly failing: string;
  readonly again: string;
}

const PAUSE_MS = 60_000;

export class Health {
  readonly #options: HealthOptions;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #isFailing = false;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** It has failed within the last minute. */
  get isPaused(): boolean {
    return this.#options.clock.monotonic() < this.#pausedUntil;
  }

  /** One line in the log, however long it lasts. */
  failed(error: unknown): void {
    const { clock, log, failing } = this.#options;
    this.#pausedUntil = clock.monotonic() + PAUSE_MS;
    if (this.#isFailing) return;
    this.#isFailing = true;
    log.warn({ err: error }, `${failing}: ${describe(error)}`);
  }

  works(): void {
    if (!this.#isFailing || this.isPaused) return;
    this.#isFailing = false;
    this.#options.log.info({}, this.#options.again);
  }
}
