// What was written and is on its way to the store. Where a close waits for the bucket anyway, writes are paced to it: so a
// progress bar shows the true speed, and the close takes seconds.

import { type Clock, Notifier } from "../base/mod.ts";
import type { SaveId } from "../model/mod.ts";

/** So long, at what the store takes, may a close take for what was written before it. */
const WINDOW_MS = 10_000;
/** Writes are not held up for less: a part that starts the wait is large, and links recover. */
const BYTES_MIN = 256 * 1024 * 1024;
/**
 * Beside the parts that are being sent so many wait, and a quarter of them: no connection is idle for want of a part, and
 * who finds out how many connections pay can open more.
 */
const QUEUE_COUNT = 8;
const QUEUE_SHARE = 1 / 4;
/** A small spill is not filled by the backlog alone. */
const SHARE_OF_SPILL = 1 / 2;
/** More often is not worth a place in the list. */
const SAMPLE_MS = 250;
/** Who goes on when a part has arrived: one in its place, and one more since there is room. */
const NEXT_COUNT = 2;

export interface BacklogOptions {
  readonly clock: Clock;
  /** Bytes that the store has acknowledged so far, and how many requests are being sent. */
  readonly progress: () => { readonly bytesAcknowledged: number; readonly inFlight: number };
  /** Bytes that the spill may hold. */
  readonly spillLimit: number;
}

export class Backlog {
  readonly #options: BacklogOptions;
  readonly #bytesMin: number;
  /** Parts on their way, by save. INVARIANT: none is 0. */
  readonly #parts = new Map<SaveId, number>();
  #bytes = 0;
  /** Parts on their way, of all saves. */
  #count = 0;
  /** INVARIANT: in the order of time; the first is not much older than the window. */
  readonly #samples: { readonly at: number; readonly total: number }[] = [];
  readonly #changed = new Notifier();

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#bytesMin = Math.min(BYTES_MIN, options.spillLimit * SHARE_OF_SPILL);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether parts of the save are on their way. */
  has(save: SaveId): boolean {
    return this.#parts.has(save);
  }

  /** A part of the save is on its way until this is disposed of, whatever becomes of it. */
  begin(save: SaveId, bytes: number): Disposable {
    this.#parts.set(save, (this.#parts.get(save) ?? 0) + 1);
    this.#bytes += bytes;
    this.#count += 1;
    return {
      [Symbol.dispose]: () => {
        const left = (this.#parts.get(save) ?? 0) - 1;
        if (left > 0) this.#parts.set(save, left);
        else this.#parts.delete(save);
        this.#bytes -= bytes;
        this.#count -= 1;
        this.#wake();
      },
    };
  }

  /** Resolves when there is little enough on its way. @throws `Interrupted`. */
  async turn(signal?: AbortSignal): Promise<void> {
    let isNew = true;
    while (this.#bytes >= this.#bytesMax() || (isNew && this.#changed.waiting > 0)) {
      isNew = false;
      await this.#changed.wait(signal);
    }
  }

  /** What the store took within the window, at least what is always allowed and what keeps its connections busy. */
  #bytesMax(): number {
    const now = this.#options.clock.monotonic();
    const { bytesAcknowledged: total, inFlight } = this.#options.progress();
    const last = this.#samples.at(-1);
    if (last === undefined || now - last.at >= SAMPLE_MS) this.#samples.push({ at: now, total });
    while ((this.#samples[0]?.at ?? now) < now - WINDOW_MS) this.#samples.shift();
    const busy = inFlight * (1 + QUEUE_SHARE) + QUEUE_COUNT;
    return Math.max(
      this.#bytesMin,
      total - (this.#samples[0]?.total ?? total),
      busy * (this.#bytes / Math.max(1, this.#count)),
    );
  }

  /** Not all at once: each of them writes a whole part. When nothing is on its way any more nobody would wake the rest. */
  #wake(): void {
    const isLow = this.#bytes < this.#bytesMax();
    if (this.#bytes === 0) this.#changed.notify();
    else if (isLow) this.#changed.notify(NEXT_COUNT);
  }
}
