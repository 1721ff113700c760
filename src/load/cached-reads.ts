// Reads through the cache on disk: what it has is not fetched, and what is fetched goes into it.

import { invariant, KodomountError } from "../base/mod.ts";
import type { ObjectStore } from "../store/mod.ts";
import { BLOCK_SIZE } from "./block-memory.ts";
import { BLOCKS_OF_FILE } from "./cache-file.ts";
import type { DiskCache } from "./disk-cache.ts";
import { Run } from "./run.ts";

/** Kept with one call; as many divide a file of the cache. */
const WRITE_BLOCKS = 4;
invariant(BLOCKS_OF_FILE % WRITE_BLOCKS === 0, "blocks that are kept at once are in one file");

type Request = Parameters<ObjectStore["read"]>[0];

export class CachedReads implements Pick<ObjectStore, "read"> {
  readonly #store: Pick<ObjectStore, "read">;
  readonly #cache: DiskCache;

  /** @param store with retries. */
  constructor(store: Pick<ObjectStore, "read">, cache: DiskCache) {
    this.#store = store;
    this.#cache = cache;
  }

  /** As of the store, of ranges that begin with a block and end with one or with the object. */
  async read(request: Request, sink: (piece: Buffer) => void, signal?: AbortSignal): Promise<void> {
    const { offset, length } = request.range;
    const end = offset + length;
    for (let at = offset; at < end; ) {
      at = await this.#cache.read(request, { at, end }, sink);
      if (signal?.aborted) throw new KodomountError("Interrupted", "The read was interrupted");
      if (at === end) return;
      const to = await this.#cache.gapEnd(request, at, end);
      const range = { offset: at, length: to - at };
      await this.#fetch({ ...request, range }, { hurry: "read", sink }, signal);
      at = to;
    }
  }

  /**
   * Sees to it that the cache has the range.
   * @returns how many bytes were fetched. @throws `NoSpace` when the cache does not take them.
   */
  async keep(request: Request, signal?: AbortSignal): Promise<number> {
    const { offset, length } = request.range;
    const end = offset + length;
    let fetched = 0;
    for (let at = offset; at < end; ) {
      if (await this.#cache.has(request, at, end)) {
        at += BLOCK_SIZE;
        continue;
      }
      const to = await this.#cache.gapEnd(request, at, end);
      const range = { offset: at, length: to - at };
      if (!this.#cache.isPaused) {
        const how = { hurry: "keep" as const, sink: () => {} };
        await (await this.#fetch({ ...request, range }, how, signal)).kept;
      }
      if (this.#cache.isPaused)
        throw new KodomountError(
          "NoSpace",
          "The cache does not keep what is fetched: its disk is full or fails; the log of the mount has the reason",
        );
      fetched += range.length;
      at = to;
    }
    return fetched;
  }

  /** @returns what resolves when the cache has it, or has given it up. */
  async #fetch(
    request: Request,
    how: { readonly hurry: "read" | "keep"; readonly sink: (piece: Buffer) => void },
    signal: AbortSignal | undefined,
  ): Promise<{ kept: Promise<unknown> }> {
    const { offset, length } = request.range;
    const writes: Promise<void>[] = [];
    const filled: Buffer[] = [];
    let next = offset;
    const keep = (): void => {
      const blocks = filled.splice(0);
      if (blocks.length > 0) writes.push(this.#cache.write(request, next, blocks, how.hurry));
      next += blocks.length * BLOCK_SIZE;
    };
    const sizes: number[] = [];
    for (let at = 0; at < length; at += BLOCK_SIZE) sizes.push(Math.min(BLOCK_SIZE, length - at));
    const run = new Run({
      sizes,
      allocate: (size) => this.#cache.memory.allocate(size),
      free: (block) => this.#cache.memory.release(block),
      onBlock: (index, block) => {
        filled.push(block);
        // They never go beyond the end of a file.
        if ((offset / BLOCK_SIZE + index + 1) % WRITE_BLOCKS === 0) keep();
      },
    });
    const take = (piece: Buffer): void => {
      run.add(piece);
      how.sink(piece);
    };
    try {
      await this.#store.read(request, take, signal);
    } catch (error) {
      run.fail(error);
      throw error;
    } finally {
      keep();
    }
    return { kept: Promise.all(writes) };
  }
}
