// Blocks of objects on the local disk, the latest used kept, within a bound, also over restarts. It is a cache: nothing in
// it is owed to anybody, so nothing is synced, and whatever cannot be trusted or had any more is fetched again.

import fsp, { type FileHandle } from "node:fs/promises";
import path from "node:path";
import { LRUCache } from "lru-cache";
import { Background, type Clock, errnoOf, KodomountError, type Log } from "../base/mod.ts";
import { BLOCK_SIZE, BlockMemory } from "./block-memory.ts";
import {
  dataAt,
  entryAt,
  FILE_SPAN,
  fileNameOf,
  formatEntry,
  indexOf,
  onDisk,
  parseTable,
  sumOf,
  TABLE_SIZE,
  type Table,
} from "./cache-file.ts";
import { CacheFiles } from "./cache-files.ts";
import type { CacheIo } from "./cache-io.ts";
import { Health } from "./health.ts";

export interface DiskCacheOptions {
  /** Used by nobody else; see `lockCache`. */
  readonly dir: string;
  /** Bytes on the disk. */
  readonly size: number;
  /** What tells this bucket from all others that may have used the directory. */
  readonly source: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly io?: CacheIo;
}

/** One version of an object, as the cache has it. */
export interface KeptVersion {
  readonly key: string;
  readonly etag: string;
}

const TABLES_MAX = 2000;
/** Blocks that wait for the disk: where it is slower than the network, what comes on top is not kept. */
const WRITING_MAX = 128;
/** Read with one call. */
const READ_BLOCKS = 8;
const OPEN_TO_WRITE = fsp.constants.O_WRONLY | fsp.constants.O_CREAT;

/** Where its files are; the number is that of their layout. */
export function cacheFilesDir(dir: string): string {
  return path.join(dir, "blocks-1");
}

export class DiskCache {
  /** Of what is written and read. */
  readonly memory: BlockMemory = new BlockMemory(WRITING_MAX);
  readonly #source: string;
  readonly #dir: string;
  readonly #log: Log;
  readonly #io: CacheIo;
  readonly #health: Health;
  readonly #files: CacheFiles;
  readonly #background: Background;
  readonly #tables = new LRUCache<string, Promise<Table>>({ max: TABLES_MAX });
  /** Blocks that are being written. */
  #writing = 0;

  /** @param options.size is held as soon as the directory has been looked through, which nobody waits for. */
  constructor(options: DiskCacheOptions) {
    const { dir, size, source, clock, log, io = fsp } = options;
    this.#source = source;
    this.#dir = cacheFilesDir(dir);
    this.#log = log;
    this.#io = io;
    this.#health = new Health({
      clock,
      log,
      failing: `The cache at ${dir} cannot be used, and reads go on without it`,
      again: "The cache can be used again",
    });
    this.#files = new CacheFiles({
      dir: this.#dir,
      size,
      clock,
      io,
      health: this.#health,
      onRemoved: (name) => this.#tables.delete(name),
    });
    this.#background = new Background(log);
    this.#background.run("Looking through the cache", () => this.#files.scan());
  }

  /** Bytes that it takes on the disk, as far as it knows. */
  get used(): number {
    return this.#files.used;
  }

  /** Its disk has failed, or was full, within the last minute: nothing is read or kept. */
  get isPaused(): boolean {
    return this.#health.isPaused;
  }

  /** Whether the block at `at` is there, of an object or a range that ends at `end`. */
  async has(version: KeptVersion, at: number, end: number): Promise<boolean> {
    if (this.#health.isPaused) return false;
    const table = await this.#table(fileNameOf(this.#source, version, at));
    return table.sizes[indexOf(at)] === sizeAt(at, end);
  }

  /** Where what must be fetched ends, from the block at `at` on. */
  async gapEnd(version: KeptVersion, at: number, end: number): Promise<number> {
    let to = at + BLOCK_SIZE;
    while (to < end && !(await this.has(version, to, end))) to += BLOCK_SIZE;
    return Math.min(to, end);
  }

  /**
   * Gives the blocks from `at` on, up to `end` or to the first that is not there or not what was written, to `sink`, which
   * must be through with them when it returns. @returns where they ended.
   */
  async read(
    version: KeptVersion,
    range: { readonly at: number; readonly end: number },
    sink: (block: Buffer) => void,
  ): Promise<number> {
    let { at } = range;
    for (;;) {
      const to = await this.#readFile(version, { at, end: range.end }, sink);
      if (to === at || to === range.end) return to;
      at = to;
    }
  }

  /**
   * Keeps blocks that follow each other from `at` on, all in one file. They come from `memory`, and are not the caller's any
   * more. Resolves when they are kept or not; never rejects.
   * @param hurry `read`: not kept when the disk has more to do than it can. `keep`: the caller waits, and so bounds how many
   * there are.
   */
  async write(
    version: KeptVersion,
    at: number,
    blocks: readonly Buffer[],
    hurry: "read" | "keep",
  ): Promise<void> {
    const name = fileNameOf(this.#source, version, at);
    const isTooMuch = hurry === "read" && this.#writing + blocks.length > WRITING_MAX;
    if (!isTooMuch && !this.#health.isPaused) {
      this.#writing += blocks.length;
      try {
        await this.#write(name, indexOf(at), blocks);
        this.#health.works();
      } catch (error) {
        this.#health.failed(error);
        await this.#files.remove(name);
      }
      this.#writing -= blocks.length;
    }
    for (const block of blocks) this.memory.release(block);
  }

  /** Resolves when nothing of it runs by itself any more. */
  settled(): Promise<void> {
    return this.#background.settled();
  }

  /** What `read` does, in one file. */
  async #readFile(
    version: KeptVersion,
    { at, end }: { at: number; end: number },
    sink: (block: Buffer) => void,
  ): Promise<number> {
    if (!(await this.has(version, at, end))) return at;
    const name = fileNameOf(this.#source, version, at);
    const table = await this.#table(name);
    const last = Math.min(end, at - (at % FILE_SPAN) + FILE_SPAN);
    let reached = at;
    const take = (block: Buffer): void => {
      sink(block);
      reached += block.length;
    };
    try {
      await using file = await this.#io.open(this.#files.pathOf(name), "r");
      while (reached < last) {
        const sizes = sizesFrom(table, { at: reached, last, end });
        if (sizes.length === 0) break;
        const index = indexOf(reached);
        if (!(await this.#readBlocks({ file, name, index, sizes }, table, take)))
          return await this.#drop(name, reached);
      }
      this.#files.touch(name);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") this.#health.failed(error);
      await this.#files.remove(name);
    }
    return reached;
  }

  /** @returns false at the first block that is not what was written. */
  async #readBlocks(
    from: { file: FileHandle; name: string; index: number; sizes: readonly number[] },
    table: Table,
    sink: (block: Buffer) => void,
  ): Promise<boolean> {
    const { file, name, index, sizes } = from;
    const blocks = sizes.map((size) => this.memory.allocate(size));
    try {
      // What it does not fill, at the end of a file that was cut, has the wrong sum.
      await file.readv(blocks, dataAt(index));
      for (const [number, block] of blocks.entries()) {
        if (sumOf(name, index + number, block) !== table.sums[index + number]) return false;
        sink(block);
      }
      return true;
    } finally {
      for (const block of blocks) this.memory.release(block);
    }
  }

  async #drop(name: string, reached: number): Promise<number> {
    this.#log.warn(
      { file: this.#files.pathOf(name) },
      "A file of the cache is not what was written to it: it is deleted, and its bytes are fetched again",
    );
    await this.#files.remove(name);
    return reached;
  }

  async #write(name: string, first: number, blocks: readonly Buffer[]): Promise<void> {
    const table = await this.#table(name);
    const entries = blocks.map((block, number) => ({
      index: first + number,
      size: block.length,
      sum: sumOf(name, first + number, block),
    }));
    // Who fetches the same writes the same to the same place: it counts once.
    const missing = entries.filter(({ index }) => table.reserved[index] === 0);
    for (const { index } of missing) table.reserved[index] = 1;
    const bytes = missing.reduce((sum, { size }) => sum + onDisk(size), 0);
    if (bytes > 0) await this.#files.reserve(name, bytes);
    await using file = await this.#openToWrite(this.#files.pathOf(name));
    await writeAll(file, blocks, dataAt(first));
    await writeAll(file, entries.map(formatEntry), entryAt(first));
    // Removed since there was room for it, and made again: nobody counts it.
    if (!this.#files.has(name)) return await this.#files.remove(name);
    for (const { index, size, sum } of entries) {
      table.sizes[index] = size;
      table.sums[index] = sum;
    }
  }

  /** The directory may not be made yet, or somebody has emptied the cache. */
  async #openToWrite(file: string): Promise<FileHandle> {
    try {
      return await this.#io.open(file, OPEN_TO_WRITE, 0o600);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      await this.#io.mkdir(this.#dir, { recursive: true, mode: 0o700 });
      return this.#io.open(file, OPEN_TO_WRITE, 0o600);
    }
  }

  #table(name: string): Promise<Table> {
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = this.#readTable(name);
      this.#tables.set(name, table);
    }
    return table;
  }

  async #readTable(name: string): Promise<Table> {
    const bytes = Buffer.alloc(TABLE_SIZE);
    try {
      await using file = await this.#io.open(this.#files.pathOf(name), "r");
      await file.read(bytes, 0, TABLE_SIZE, 0);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") this.#health.failed(error);
    }
    return parseTable(bytes);
  }
}

function sizeAt(at: number, end: number): number {
  return Math.min(BLOCK_SIZE, end - at);
}

/** Of the blocks that are there from `at` on, as many as are read with one call. */
function sizesFrom(table: Table, from: { at: number; last: number; end: number }): number[] {
  const sizes: number[] = [];
  for (let at = from.at; at < from.last && sizes.length < READ_BLOCKS; at += BLOCK_SIZE) {
    const size = sizeAt(at, from.end);
    if (table.sizes[indexOf(at)] !== size) break;
    sizes.push(size);
  }
  return sizes;
}

async function writeAll(
  file: FileHandle,
  pieces: readonly Buffer[],
  position: number,
): Promise<void> {
  const { bytesWritten } = await file.writev([...pieces], position);
  if (bytesWritten < pieces.reduce((sum, { length }) => sum + length, 0))
    throw new KodomountError(
      "NoSpace",
      "its disk is full: it took only a part of what was written",
    );
}
