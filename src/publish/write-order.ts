// Whether a file is written from its start to its end: then parts that were left behind will most likely not be needed any
// more. Headers that are patched at the end (part 1), and what lies in the part before the last one, do not count.

import type { PartNumber } from "../model/mod.ts";

export class WriteOrder {
  #last: number | undefined;
  #isKept = true;

  /** The last part that was written; undefined: none yet. */
  get last(): number | undefined {
    return this.#last;
  }

  get isKept(): boolean {
    return this.#isKept;
  }

  note(partNumber: PartNumber): void {
    const { last = partNumber } = this;
    const isAhead = partNumber > last + 1;
    const isBehind = partNumber < last - 1 && partNumber !== 1;
    if (isAhead || isBehind) this.#isKept = false;
    this.#last = Math.max(last, partNumber);
  }
}
