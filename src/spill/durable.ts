// Something that fsync makes durable: one at a time, and never again once it has failed. The kernel reports a lost page
// to one fsync only; the next one says that all is well.

import { KodomountError, Mutex } from "../base/mod.ts";

export class Durable {
  readonly #what: string;
  readonly #mutex = new Mutex();
  #failure: unknown;

  /** @param what names it in the error. */
  constructor(what: string) {
    this.#what = what;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Runs the fsync. @throws `Io` when it, or an earlier one, has failed. */
  async sync(fsync: () => Promise<void>): Promise<void> {
    using _ = await this.#mutex.acquire();
    if (this.#failure === undefined)
      try {
        return await fsync();
      } catch (error) {
        this.#failure = error;
      }
    throw new KodomountError(
      "Io",
      `The disk could not keep ${this.#what}: what was written to it since the last fsync may be lost`,
      { cause: this.#failure },
    );
  }
}
