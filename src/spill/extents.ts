// Which bytes of a spill file were written: what it counts for in the budget. Holes and overwriting count for nothing.

export class Extents {
  /** INVARIANT: sorted, disjoint, not adjacent, none empty. */
  readonly #extents: { start: number; end: number }[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Notes that [start, end) was written; returns how many of these bytes had not been. */
  add(start: number, end: number): number {
    if (end <= start) return 0;
    const first = this.#firstEndingAt(start);
    let behind = first;
    let merged = { start, end };
    let covered = 0;
    for (; behind < this.#extents.length; behind += 1) {
      const extent = this.#extents[behind];
      if (extent === undefined || extent.start > end) break;
      merged = {
        start: Math.min(merged.start, extent.start),
        end: Math.max(merged.end, extent.end),
      };
      covered += extent.end - extent.start;
    }
    this.#extents.splice(first, behind - first, merged);
    const added = merged.end - merged.start - covered;
    this.#bytes += added;
    return added;
  }

  /** Forgets everything from `size` on; returns how many written bytes that were. */
  cut(size: number): number {
    let removed = 0;
    for (let last = this.#extents.at(-1); last !== undefined; last = this.#extents.at(-1)) {
      if (last.end <= size) break;
      removed += last.end - Math.max(last.start, size);
      if (last.start < size) last.end = size;
      else this.#extents.pop();
    }
    this.#bytes -= removed;
    return removed;
  }

  /** Index of the first extent that reaches to `offset` or further: mostly the last one, since files are written in order. */
  #firstEndingAt(offset: number): number {
    let low = 0;
    let high = this.#extents.length;
    if ((this.#extents.at(-1)?.end ?? -1) < offset) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#extents[middle]?.end ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
