// Keys in the order of a listing, which is that of their UTF-8 bytes and not of JavaScript's strings.

export class SortedKeys {
  /** INVARIANT: ascending by UTF-8 bytes, no key twice. */
  #keys: string[] = [];

  get count(): number {
    return this.#keys.length;
  }

  /** Forgets all and holds `keys` from now on. */
  reset(keys: Iterable<string>): void {
    this.#keys = [...new Set(keys)]
      .map((key) => ({ key, bytes: Buffer.from(key) }))
      .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
      .map(({ key }) => key);
  }

  add(key: string): void {
    const at = this.#first(key, false);
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
  }

  delete(key: string): void {
    const at = this.#first(key, false);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  /** The keys from `start` on, with or without `start` itself. */
  *from(start: string, exclusive: boolean): Generator<string> {
    for (let at = this.#first(start, exclusive); at < this.#keys.length; at += 1) {
      const key = this.#keys[at];
      if (key !== undefined) yield key;
    }
  }

  [Symbol.iterator](): Generator<string> {
    return this.from("", false);
  }

  /** Where the first key is that is not less than `key`, or greater than it if `exclusive`. */
  #first(key: string, exclusive: boolean): number {
    const bytes = Buffer.from(key);
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = Buffer.compare(Buffer.from(this.#keys[middle] ?? ""), bytes);
      if (order < 0 || (exclusive && order === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
