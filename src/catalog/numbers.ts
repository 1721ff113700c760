// Numbers that never come again in the life of a state directory, given out without waiting: they are taken from the
// catalog in blocks, the next one long before the last is used up. What is left of a block at the end is lost.

import { Background, KodomountError, type Log } from "../base/mod.ts";

const NUMBERS_A_BLOCK = 65_536;
/** From here on the next block is fetched; when that fails it is tried again every so many numbers. */
const REMAINING_MIN = NUMBERS_A_BLOCK / 2;
const TRY_AGAIN = 1024;

/** Makes it durable that everything below `limit` may have been given out. */
export type RecordLimit = (limit: number) => Promise<void>;

export class Numbers {
  readonly #recordLimit: RecordLimit;
  readonly #background: Background;
  #next: number;
  /** INVARIANT: recorded, synced, and at least `#next`. */
  #limit: number;
  #fetching = false;

  /** @param first nothing from here on was ever given out. */
  constructor(first: number, options: { recordLimit: RecordLimit; log: Log }) {
    this.#next = first;
    this.#limit = first;
    this.#recordLimit = options.recordLimit;
    this.#background = new Background(options.log);
  }

  /** Takes one more block. */
  async fetch(): Promise<void> {
    this.#fetching = true;
    try {
      const limit = this.#limit + NUMBERS_A_BLOCK;
      await this.#recordLimit(limit);
      this.#limit = limit;
    } finally {
      this.#fetching = false;
    }
  }

  /** @throws `Io` when the catalog could not be written for the last tens of thousands of numbers. */
  allocate(): number {
    if (this.#next >= this.#limit)
      throw new KodomountError(
        "Io",
        "No new number for a file: the catalog has not recorded the next ones",
      );
    const number = this.#next;
    this.#next += 1;
    const remaining = this.#limit - this.#next;
    if (remaining <= REMAINING_MIN && remaining % TRY_AGAIN === 0 && !this.#fetching)
      this.#background.run("fetching numbers for files", () => this.fetch());
    return number;
  }

  async stop(): Promise<void> {
    await this.#background.settled();
  }
}
