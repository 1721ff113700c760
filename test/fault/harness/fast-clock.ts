// A clock that runs faster than the world, and whose wall clock can be set: so that waits of seconds take milliseconds.

import { type Clock, systemClock } from "../../../src/base/mod.ts";

export class FastClock implements Clock {
  readonly #factor: number;
  readonly #start = systemClock.monotonic();
  readonly #startWall = systemClock.now();
  #jumpMs = 0;

  /** @param factor how many times faster. */
  constructor(factor: number) {
    this.#factor = factor;
  }

  /** Somebody sets the wall clock. */
  jump(ms: number): void {
    this.#jumpMs += ms;
  }

  readonly now = (): number => Math.round(this.#startWall + this.monotonic() + this.#jumpMs);

  readonly monotonic = (): number => (systemClock.monotonic() - this.#start) * this.#factor;

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    systemClock.sleep(ms / this.#factor, signal);

  readonly after = (ms: number, task: () => void): (() => void) =>
    systemClock.after(ms / this.#factor, task);
}
