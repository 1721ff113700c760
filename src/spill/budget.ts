// How much may lie in the spill. Only the start of a part waits, so that no set of half-written parts can wait for each
// other, and a file always gets its first part; so every writer may be one part above the limit.

import { Background, type Clock, KodomountError, type Log, toError } from "../base/mod.ts";
import type { DiskSpace } from "./io.ts";

export interface BudgetOptions {
  /** Bytes. */
  readonly limit: number;
  /** Whether something is pending whose end would free bytes. */
  readonly canFree: () => boolean;
  readonly space: () => Promise<DiskSpace>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The disk is not filled to its last byte, the catalog may live there too: this much is left, or 1 % of a small disk. */
const RESERVE_MAX = 256 * 1024 * 1024;
const RESERVE_SHARE = 0.01;
/** The disk is asked at most this often; who waits looks again as often, since others may fill and free the disk. */
const LOOK_MS = 1000;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Budget {
  readonly #options: BudgetOptions;
  readonly #background: Background;
  #used = 0;
  /** On the monotonic clock; undefined: never asked. */
  #diskAskedAt: number | undefined;
  #diskIsFull = false;
  /** INVARIANT: first come, first served. */
  readonly #waiters: Waiter[] = [];
  #looking = false;
  /** Something has changed since the look that is under way began. */
  #lookAgain = false;
  #cancelLook: (() => void) | undefined;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#background = new Background(options.log);
  }

  get used(): number {
    return this.#used;
  }

  get limit(): number {
    return this.#options.limit;
  }

  add(bytes: number): void {
    this.#used += bytes;
  }

  /** Bytes were freed: who waits goes on, in the order of asking. */
  free(bytes: number): void {
    this.#used -= bytes;
    if (bytes > 0 && this.#waiters.length > 0) this.#look();
  }

  /**
   * Resolves when a part may begin; at once when it is the `first` of its file.
   * @throws `NoSpace` when nothing that is pending could make room; `Interrupted`.
   */
  async startPart(first: boolean, signal?: AbortSignal): Promise<void> {
    if (first) return;
    const queued = this.#waiters.length > 0;
    if (!queued && this.#isDiskKnown() && this.#hasRoom()) return;
    await this.#wait(signal);
  }

  /** Nobody may start a part any more: whoever still waits is refused. */
  async stop(): Promise<void> {
    this.#cancelLook?.();
    const stopped = new KodomountError("Interrupted", "The spill is being closed");
    for (const { reject } of this.#waiters.splice(0)) reject(stopped);
    await this.#background.settled();
  }

  #hasRoom(): boolean {
    return this.#used < this.limit && !this.#diskIsFull;
  }

  #isDiskKnown(): boolean {
    const now = this.#options.clock.monotonic();
    return this.#diskAskedAt !== undefined && now - this.#diskAskedAt < LOOK_MS;
  }

  #wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(interrupted());
      };
      const done = (): void => signal?.removeEventListener("abort", leave);
      const waiter: Waiter = {
        resolve: () => {
          done();
          resolve();
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      if (signal?.aborted) return reject(interrupted());
      this.#waiters.push(waiter);
      signal?.addEventListener("abort", leave, { once: true });
      this.#look();
    });
  }

  /** Lets go on who can. One look at a time, and once more for what changed meanwhile. */
  #look(): void {
    this.#lookAgain = true;
    if (this.#looking) return;
    this.#looking = true;
    this.#background.run("looking for room in the spill", async () => {
      try {
        while (this.#lookAgain) {
          this.#lookAgain = false;
          await this.#serve();
        }
      } finally {
        this.#looking = false;
      }
    });
  }

  async #serve(): Promise<void> {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    try {
      if (!this.#isDiskKnown()) await this.#askDisk();
      while (this.#waiters.length > 0 && this.#hasRoom()) this.#waiters.shift()?.resolve();
      if (this.#waiters.length > 0 && !this.#options.canFree()) this.#refuseNewest();
    } catch (error) {
      for (const { reject } of this.#waiters.splice(0)) reject(toError(error));
    }
    if (this.#waiters.length > 0)
      this.#cancelLook = this.#options.clock.after(LOOK_MS, () => this.#look());
  }

  async #askDisk(): Promise<void> {
    const { free, total } = await this.#options.space();
    this.#diskAskedAt = this.#options.clock.monotonic();
    this.#diskIsFull = free < Math.min(RESERVE_MAX, total * RESERVE_SHARE);
  }

  /** One at a time: what the failing program gives up may be room enough for the others. */
  #refuseNewest(): void {
    const what = this.#diskIsFull
      ? "the disk of the state directory is full"
      : `the spill holds ${this.#used} bytes, its limit is ${this.limit}`;
    const error = new KodomountError(
      "NoSpace",
      `No room to write: ${what}, and nothing that is pending could free any; see '--spill-limit' and '--state-dir'`,
    );
    this.#options.log.warn({ used: this.#used, limit: this.limit }, error.message);
    this.#waiters.pop()?.reject(error);
  }
}

function interrupted(): KodomountError {
  return new KodomountError("Interrupted", "The wait for room in the spill was interrupted");
}
