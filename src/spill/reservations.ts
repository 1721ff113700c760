// Bytes of parts that were begun and are not written yet: they count as if they were there, or everybody who waits would
// begin a part in the room of one.

import type { SaveId } from "../model/mod.ts";

export class Reservations {
  /** INVARIANT: none is 0; a save has one part at most that is not written yet. */
  readonly #bytes = new Map<SaveId, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** `save` begins a part of `bytes`; what it had left of the one before is given back. */
  set(save: SaveId, bytes: number): void {
    this.#total += bytes - (this.#bytes.get(save) ?? 0);
    if (bytes > 0) this.#bytes.set(save, bytes);
    else this.#bytes.delete(save);
  }

  /** `bytes` more of it are in the spill. */
  written(save: SaveId, bytes: number): void {
    const left = this.#bytes.get(save);
    if (left !== undefined) this.set(save, Math.max(0, left - bytes));
  }
}
