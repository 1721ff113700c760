// Memory for blocks, used again and again: given to the garbage collector, a gigabyte of it costs more than all else that
// a read does.

/** What a random read of a few bytes fetches: 10 ms of a link of 200 Mbit/s. */
export const BLOCK_SIZE: number = 256 * 1024;

export class BlockMemory {
  readonly #max: number;
  readonly #free: Buffer[] = [];

  /** @param max how many that are not in use are kept. */
  constructor(max: number) {
    this.#max = max;
  }

  /** A block of `size` bytes, at most `BLOCK_SIZE`, with anything in it. */
  allocate(size: number): Buffer {
    return (this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_SIZE)).subarray(0, size);
  }

  /** Nobody looks at it any more. */
  release(block: Buffer): void {
    if (this.#free.length < this.#max) this.#free.push(Buffer.from(block.buffer));
  }
}
