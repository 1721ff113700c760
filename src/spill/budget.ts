// How much may lie in the spill. Only the start of a part waits, so that no set of half-written parts can wait for each
// other, and a file always gets its first part.

import { KodomountError } from "../base/mod.ts";

export interface BudgetOptions {
  /** Bytes. */
  readonly limit: number;
  /** Whether something is pending whose end would free bytes. */
  readonly canFree: () => boolean;
  /** Bytes that the disk still has. */
  readonly diskFree: () => Promise<number>;
}

/** The disk is not filled to its last byte: the catalog lives there too. */
const RESERVE = 256 * 1024 * 1024;
/** The disk is asked again after this many bytes were written. */
const DISK_CHECK = 64 * 1024 * 1024;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: KodomountError) => void;
}

export class Budget {
  readonly #options: BudgetOptions;
  #used = 0;
  #sinceCheck = DISK_CHECK;
  #diskIsFull = false;
  /** INVARIANT: first come, first served. */
  readonly #waiters: Waiter[] = [];

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  get used(): number {
    return this.#used;
  }

  get limit(): number {
    return this.#options.limit;
  }

  add(bytes: number): void {
    this.#used += bytes;
    this.#sinceCheck += bytes;
  }

  /** Bytes were freed: who waits goes on, one after the other. */
  free(bytes: number): void {
    this.#used = Math.max(0, this.#used - bytes);
    this.#sinceCheck = DISK_CHECK;
    this.#diskIsFull = false;
    this.wake();
  }

  /** Something has changed: who can go on does, and who waits in vain is told. */
  wake(): void {
    while (this.#waiters.length > 0 && this.#used < this.limit) this.#waiters.shift()?.resolve();
    if (this.#options.canFree()) return;
    for (const { reject } of this.#waiters.splice(0)) reject(this.#full());
  }

  /** Resolves when a part may begin. @throws `NoSpace` when nothing that is pending could make room; `Interrupted`. */
  async startPart(first: boolean, signal?: AbortSignal): Promise<void> {
    if (first) return;
    if (this.#sinceCheck >= DISK_CHECK) {
      this.#sinceCheck = 0;
      this.#diskIsFull = (await this.#options.diskFree()) < Math.min(RESERVE, this.limit);
    }
    if (this.#used < this.limit && !this.#diskIsFull) return;
    if (!this.#options.canFree()) throw this.#full();
    await this.#wait(signal);
  }

  #wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(new KodomountError("Interrupted", "The wait for room in the spill was interrupted"));
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
      if (signal?.aborted)
        return reject(
          new KodomountError("Interrupted", "The wait for room in the spill was interrupted"),
        );
      this.#waiters.push(waiter);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  #full(): KodomountError {
    const what = this.#diskIsFull
      ? "the disk of the state directory is full"
      : `the spill holds ${this.#used} bytes, its limit is ${this.limit}`;
    return new KodomountError(
      "NoSpace",
      `No room to write: ${what}, and nothing pending could free any; see '--spill-limit' and '--state-dir'`,
    );
  }
}
