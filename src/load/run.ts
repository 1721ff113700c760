// One ranged GET that fills several blocks, each of which can be waited for, and read as soon as it is full.

interface Waiting {
  readonly promise: Promise<Buffer>;
  readonly resolve: (block: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

export interface RunOptions {
  /** Of the blocks in bytes, in order; none is 0. */
  readonly sizes: readonly number[];
  /** Memory for a block, asked for when its first byte comes: what is only on its way takes none. */
  readonly allocate: (size: number) => Buffer;
  /** Takes back what was not filled. */
  readonly free: (block: Buffer) => void;
  readonly onBlock: (index: number, block: Buffer) => void;
}

export class Run {
  readonly #options: RunOptions;
  readonly #waiting: readonly Waiting[];
  #index = 0;
  #block: Buffer | undefined;
  #filled = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#waiting = options.sizes.map(newWaiting);
  }

  /** Block number `index` of the run. It rejects with whatever the run fails with before it is full. */
  block(index: number): Promise<Buffer> {
    const waiting = this.#waiting[index];
    if (waiting === undefined) throw new RangeError(`the run has no block ${index}`);
    return waiting.promise;
  }

  /** The next bytes. */
  add(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) {
      this.#block ??= this.#options.allocate(this.#options.sizes[this.#index] ?? 0);
      const copied = piece.copy(this.#block, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#filled === this.#block.length) this.#finish(this.#block);
    }
  }

  /** No more bytes come. */
  fail(error: unknown): void {
    if (this.#block !== undefined) this.#options.free(this.#block);
    this.#block = undefined;
    for (const waiting of this.#waiting.slice(this.#index)) waiting.reject(error);
  }

  #finish(block: Buffer): void {
    const index = this.#index;
    this.#index += 1;
    this.#block = undefined;
    this.#filled = 0;
    this.#options.onBlock(index, block);
    this.#waiting[index]?.resolve(block);
  }
}

function newWaiting(): Waiting {
  let settle: Omit<Waiting, "promise"> | undefined;
  const promise = new Promise<Buffer>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Most blocks are fetched ahead, and nobody waits for them yet.
  promise.catch(() => {});
  if (settle === undefined) throw new TypeError("a promise calls its executor at once");
  return { promise, ...settle };
}
