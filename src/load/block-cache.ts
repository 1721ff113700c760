// Blocks in memory, the latest used kept, within a bound.

import { LRUCache } from "lru-cache";
import { BLOCK_SIZE, BlockMemory } from "./block-memory.ts";

export class BlockCache {
  readonly #kept: LRUCache<string, Buffer>;
  readonly #memory: BlockMemory;
  /** How many readers wait for, or look at, the block of that name: its memory stays what it is. */
  readonly #pins = new Map<string, number>();
  /** Evicted while somebody looks at them. */
  readonly #leaving = new Map<string, Buffer>();

  /** @param bytes of what is kept; a block of each request under way, and what is looked at, come on top. */
  constructor(bytes: number) {
    const max = Math.max(1, Math.floor(bytes / BLOCK_SIZE));
    this.#memory = new BlockMemory(max);
    this.#kept = new LRUCache<string, Buffer>({
      max,
      dispose: (block, name) => {
        if (this.#pins.has(name)) this.#leaving.set(name, block);
        else this.release(block);
      },
    });
  }

  /**
   * Valid until the next wait, unless `name` is pinned.
   * @param again whether it is likely to be read again: it is kept longer then than what was fetched after it.
   */
  get(name: string, again: boolean): Buffer | undefined {
    const kept = again ? this.#kept.get(name) : this.#kept.peek(name);
    return kept ?? this.#leaving.get(name);
  }

  has(name: string): boolean {
    return this.#kept.has(name) || this.#leaving.has(name);
  }

  add(name: string, block: Buffer): void {
    this.#kept.set(name, block);
  }

  /** A block of `size` bytes, at most `BLOCK_SIZE`, with anything in it. Its owner adds or releases it. */
  allocate(size: number): Buffer {
    return this.#memory.allocate(size);
  }

  release(block: Buffer): void {
    this.#memory.release(block);
  }

  pin(name: string): void {
    this.#pins.set(name, (this.#pins.get(name) ?? 0) + 1);
  }

  unpin(name: string): void {
    const pins = (this.#pins.get(name) ?? 1) - 1;
    if (pins > 0) this.#pins.set(name, pins);
    else this.#pins.delete(name);
    const leaving = this.#leaving.get(name);
    if (pins > 0 || leaving === undefined) return;
    this.#leaving.delete(name);
    this.release(leaving);
  }
}
