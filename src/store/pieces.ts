// The memory that files are read into while they are sent: smaller pieces the more there are under way, so that the sum of
// them has a bound.

/** Costs least CPU, also over TLS; smaller ones cost calls, larger ones cache. */
const SIZE_MAX = 512 * 1024;
/** On links where hundreds of connections pay, each is slow. */
const SIZE_MIN = 64 * 1024;
/** Bytes that are lent at the same time, as far as the smallest size allows it: twice that at 256 connections. */
const LENT_MAX = 16 * 1024 * 1024;

export class Pieces {
  /** INVARIANT: all of `#size`. Fresh buffers cost more CPU than the copy into them: page faults. */
  #free: Buffer[] = [];
  #size: number = SIZE_MAX;
  #lent = 0;

  /** Two buffers of the size that suits what is under way. */
  takeTwo(): [Buffer, Buffer] {
    this.#lent += 2;
    let size = SIZE_MAX;
    while (size > SIZE_MIN && size * this.#lent > LENT_MAX) size /= 2;
    if (size !== this.#size) this.#free = [];
    this.#size = size;
    return [this.#take(), this.#take()];
  }

  /** They are not used any more. */
  give(...buffers: Buffer[]): void {
    this.lose(buffers.length);
    for (const buffer of buffers) if (buffer.length === this.#size) this.#free.push(buffer);
  }

  /** So many will not come back: the connection that broke may still be sending from them. */
  lose(count: number): void {
    this.#lent -= count;
  }

  #take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size);
  }
}
