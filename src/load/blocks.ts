// Reads of committed objects: aligned blocks by ranged GETs, a few of them kept, concurrent readers share one request.

import { LRUCache } from "lru-cache";
import { KodomountError, unlessAborted } from "../base/mod.ts";
import type { Etag, Key } from "../model/mod.ts";
import type { ObjectStore } from "../store/mod.ts";

/** Large enough that a sequential reader pays one round trip for eight of the kernel's requests. */
const BLOCK_SIZE = 1024 * 1024;
const CACHE_SIZE = 48 * BLOCK_SIZE;

interface Version {
  readonly key: Key;
  readonly etag: Etag;
  readonly size: number;
}

interface BlockRequest extends Version {
  readonly offset: number;
}

export class Blocks {
  readonly #cache: LRUCache<string, Buffer, BlockRequest>;

  constructor(store: ObjectStore) {
    this.#cache = new LRUCache<string, Buffer, BlockRequest>({
      maxSize: CACHE_SIZE,
      sizeCalculation: (block) => Math.max(1, block.length),
      fetchMethod: async (_name, _stale, { context, signal }) => {
        const { key, etag, offset, size } = context;
        const range = { offset, length: Math.min(BLOCK_SIZE, size - offset) };
        return (await store.get({ key, range, etag }, signal)).bytes;
      },
    });
  }

  /**
   * Bytes of one version of an object, fewer at its end.
   * @throws `Stale` when the object is another version by now: never a mixture.
   */
  async read(
    version: Version,
    offset: number,
    length: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const end = Math.min(offset + length, version.size);
    if (end <= offset) return new Uint8Array(0);
    const first = offset - (offset % BLOCK_SIZE);
    const starts = Array.from(
      { length: Math.ceil((end - first) / BLOCK_SIZE) },
      (_, index) => first + index * BLOCK_SIZE,
    );
    const blocks = await Promise.all(starts.map((start) => this.#block(version, start, signal)));
    const only = blocks.length === 1 ? blocks[0] : undefined;
    return (only ?? Buffer.concat(blocks)).subarray(offset - first, end - first);
  }

  async #block(version: Version, offset: number, signal: AbortSignal): Promise<Buffer> {
    const name = `${version.key}\0${version.etag}\0${offset}`;
    try {
      // A reader that gives up leaves at once, and must not fail the others who wait for the same block.
      const fetched = this.#cache.fetch(name, { context: { ...version, offset } });
      const block = await unlessAborted(fetched, signal);
      if (block !== undefined) return block;
    } catch (error) {
      if (
        error instanceof KodomountError &&
        (error.code === "PreconditionFailed" || error.code === "NotFound")
      )
        throw new KodomountError(
          "Stale",
          `${version.key} was changed or deleted by another client while it was open here`,
          { cause: error },
        );
      throw error;
    }
    throw new KodomountError("Interrupted", "The read was interrupted");
  }
}
