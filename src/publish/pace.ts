// How soon and how often one small file is published. It waits a moment after its close, since many programs rename it right
// then, or set its mode and times: that costs nothing before it is sent, and copies afterwards. And a file that is closed
// again and again (a log, a record of TensorBoard, a shell loop) is sent about once a second: what is closed in between is
// superseded before it was sent. Nobody waits for that.

import { anySignal, type Clock, codeOf, Notifier, newAbort } from "../base/mod.ts";
import type { Key } from "../model/mod.ts";

/** Well within the usual lag of 2 s, so that no close ever waits for what is held back here. */
const INTERVAL_MS = 1000;
/** From a close to the rename or the attributes that follow at once. */
const SETTLE_MS = 500;

export class Pace {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #settleMs: number;
  /** When each key was published last, on the monotonic clock. INVARIANT: in ascending order of the time. */
  readonly #publishedAt = new Map<Key, number>();
  /** What was closed up to this place in the order of closes is waited for by somebody. */
  #urgent = 0;
  readonly #changed = new Notifier();

  /** @param lagMs how long a closed save may stay unpublished while closes return: half of it is held back at most. */
  constructor(clock: Clock, lagMs: number) {
    this.#clock = clock;
    this.#intervalMs = Math.min(INTERVAL_MS, lagMs / 2);
    this.#settleMs = Math.min(SETTLE_MS, lagMs / 4);
  }

  /** Something was published at `key`. */
  published(key: Key): void {
    const now = this.#clock.monotonic();
    for (const [other, at] of this.#publishedAt) {
      if (at + this.#intervalMs > now) break;
      this.#publishedAt.delete(other);
    }
    this.#publishedAt.delete(key);
    this.#publishedAt.set(key, now);
  }

  /** Somebody waits for what has the place `order`, hence for all before it. */
  hurry(order: number): void {
    if (order <= this.#urgent) return;
    this.#urgent = order;
    this.#changed.notify();
  }

  /**
   * Resolves when the key was neither closed nor published for a moment, or somebody waits.
   * @param closed its place in the order of closes, and when that was. @throws `Interrupted`.
   */
  async turn(
    key: Key,
    closed: { readonly order: number; readonly closedAt: number },
    signal: AbortSignal,
  ): Promise<void> {
    while (closed.order > this.#urgent) {
      const last = this.#publishedAt.get(key) ?? Number.NEGATIVE_INFINITY;
      const waitMs = Math.max(
        last + this.#intervalMs - this.#clock.monotonic(),
        closed.closedAt + this.#settleMs - this.#clock.now(),
      );
      if (waitMs <= 0) return;
      await this.#wait(waitMs, signal);
    }
  }

  /** For a time, or until somebody is in a hurry: thousands may wait here, and only one is woken by its timer. */
  async #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    const over = newAbort();
    const cancel = this.#clock.after(waitMs, () => over.abort());
    try {
      await this.#changed.wait(anySignal(signal, over.signal));
    } catch (error) {
      if (codeOf(error) !== "Interrupted" || signal.aborted) throw error;
    } finally {
      cancel();
    }
  }
}
