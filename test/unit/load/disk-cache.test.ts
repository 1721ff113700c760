// The cache on disk below a store of which each request can be seen.

import { randomBytes } from "node:crypto";
import fsp from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Clock, type Log, silentLog, systemClock } from "../../../src/base/mod.ts";
import { BLOCK_SIZE } from "../../../src/load/block-memory.ts";
import type { CacheIo } from "../../../src/load/cache-io.ts";
import { lockCache } from "../../../src/load/cache-lock.ts";
import { CachedReads } from "../../../src/load/cached-reads.ts";
import { DiskCache } from "../../../src/load/disk-cache.ts";
import { toEtag, toKey } from "../../../src/model/mod.ts";
import type { ByteRange, ObjectStore } from "../../../src/store/mod.ts";
import { tempDir } from "../../support/temp.ts";

const MIB = 1024 * 1024;
const VERSION = { key: toKey("a/k"), etag: toEtag('"1"') };

let temp: Awaited<ReturnType<typeof tempDir>>;
beforeEach(async () => {
  temp = await tempDir();
});
afterEach(() => temp[Symbol.asyncDispose]());

/** A mount over the same directory as those before it. */
class Mounted {
  readonly asked: ByteRange[] = [];
  readonly lines: string[] = [];
  /** How far its clock is before ours. */
  laterMs = 0;
  readonly cache: DiskCache;
  readonly reads: CachedReads;

  constructor(bytes: Buffer, options: { size?: number; source?: string; io?: CacheIo } = {}) {
    const line = (_: object, message: string): void => void this.lines.push(message);
    const log: Log = { ...silentLog, warn: line, info: line };
    const clock: Clock = {
      ...systemClock,
      now: () => systemClock.now() + this.laterMs,
      monotonic: () => systemClock.monotonic() + this.laterMs,
    };
    const { size = 64 * MIB, source = "bucket" } = options;
    const store: Pick<ObjectStore, "read"> = {
      read: async ({ range }, sink) => {
        this.asked.push(range);
        for (let at = 0; at < range.length; at += 65_521)
          sink(
            bytes.subarray(range.offset + at, range.offset + Math.min(range.length, at + 65_521)),
          );
      },
    };
    this.cache = new DiskCache({ ...options, dir: temp.path, size, source, clock, log });
    this.reads = new CachedReads(store, this.cache);
  }

  async read(offset: number, length: number, version = VERSION): Promise<Buffer> {
    const pieces: Buffer[] = [];
    // The memory of a piece is used again.
    await this.reads.read({ ...version, range: { offset, length } }, (piece) =>
      pieces.push(Buffer.from(piece)),
    );
    return Buffer.concat(pieces);
  }

  /** Until what was read is on the disk. */
  async kept(offset: number, end: number, version = VERSION): Promise<void> {
    for (let at = offset; at < end; at += BLOCK_SIZE)
      await expect.poll(() => this.cache.has(version, at, end)).toBe(true);
  }
}

/** Files of the cache, by their size on disk. */
async function onDisk(): Promise<number> {
  const dir = join(temp.path, "blocks-1");
  const stats = await Promise.all(
    (await fsp.readdir(dir)).map((name) => fsp.stat(join(dir, name))),
  );
  return stats.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}

async function filled(bytes: Buffer): Promise<void> {
  const mounted = new Mounted(bytes);
  await mounted.read(0, bytes.length);
  await mounted.kept(0, bytes.length);
}

async function cacheFiles(): Promise<string[]> {
  const dir = join(temp.path, "blocks-1");
  return (await fsp.readdir(dir)).map((name) => join(dir, name));
}

describe("DiskCache", () => {
  test("S7.8 what an earlier mount has fetched is not fetched again, what is missing between is", async () => {
    const bytes = randomBytes(17 * MIB + 12_345);
    const first = new Mounted(bytes);
    for (const [offset, length] of [
      [0, MIB],
      [7 * MIB, 2 * MIB],
      [17 * MIB, 12_345],
    ] as const) {
      await first.read(offset, length);
      await first.kept(offset, offset + length);
    }
    const second = new Mounted(bytes);
    expect((await second.read(0, bytes.length)).equals(bytes)).toBe(true);
    expect(second.asked).toEqual([
      { offset: MIB, length: 6 * MIB },
      { offset: 9 * MIB, length: 8 * MIB },
    ]);
  });

  test("S7.8 another version, another object and another bucket are something else", async () => {
    const bytes = randomBytes(BLOCK_SIZE);
    await filled(randomBytes(BLOCK_SIZE));
    for (const [version, source] of [
      [{ ...VERSION, etag: toEtag('"2"') }, "bucket"],
      [{ ...VERSION, key: toKey("a/l") }, "bucket"],
      [VERSION, "other"],
    ] as const) {
      const other = new Mounted(bytes, { source });
      expect((await other.read(0, BLOCK_SIZE, version)).equals(bytes)).toBe(true);
      expect(other.asked).toHaveLength(1);
    }
  });

  test.each([
    ["a flipped bit", async (file: string) => flip(file, 4096 + 3 * BLOCK_SIZE + 77)],
    ["a table of something else", async (file: string) => flip(file, 3 * 8 + 5)],
    ["a file that was cut", async (file: string) => fsp.truncate(file, 4096 + 3 * BLOCK_SIZE + 9)],
    ["an empty file", async (file: string) => fsp.truncate(file, 0)],
    ["a file that is gone", async (file: string) => fsp.unlink(file)],
    ["no directory", async () => fsp.rm(join(temp.path, "blocks-1"), { recursive: true })],
  ])("S7.9 never gives what is not what was written: %s", async (what, damage) => {
    const bytes = randomBytes(MIB);
    await filled(bytes);
    const mounted = new Mounted(bytes);
    await mounted.cache.settled();
    const [file = ""] = await cacheFiles();
    await damage(file);
    expect((await mounted.read(0, MIB)).equals(bytes)).toBe(true);
    const isNoticed = ["a flipped bit", "a table of something else", "a file that was cut"];
    expect(mounted.lines).toHaveLength(isNoticed.includes(what) ? 1 : 0);
    // It is kept again, and right.
    await mounted.read(0, MIB);
    await mounted.kept(0, MIB);
    const after = new Mounted(bytes);
    expect((await after.read(0, MIB)).equals(bytes)).toBe(true);
    expect(after.asked).toEqual([]);
  });

  test("S7.9 a block at the place of another is not taken for it", async () => {
    const bytes = randomBytes(2 * BLOCK_SIZE);
    await filled(bytes);
    const [file = ""] = await cacheFiles();
    const content = await fsp.readFile(file);
    content.copy(content, 8, 0, 8);
    content.copy(content, 4096 + BLOCK_SIZE, 4096, 4096 + BLOCK_SIZE);
    await fsp.writeFile(file, content);
    expect((await new Mounted(bytes).read(0, bytes.length)).equals(bytes)).toBe(true);
  });

  test("S7.10 what was used longest ago goes when the bound is reached, also over a restart", async () => {
    const bytes = randomBytes(40 * MIB);
    const size = 32.5 * MIB;
    const first = new Mounted(bytes, { size });
    await first.cache.settled();
    for (let at = 0; at < 32 * MIB; at += 8 * MIB) {
      await first.read(at, 8 * MIB);
      await first.kept(at, at + 8 * MIB);
    }
    first.laterMs = 120_000;
    // The first is used again, so that the second is the oldest.
    await first.read(0, BLOCK_SIZE);
    const newest = async () => Math.max(...(await agesOf()));
    await expect.poll(newest).toBeGreaterThan(systemClock.now() + 60_000);
    const second = new Mounted(bytes, { size });
    await second.cache.settled();
    await second.read(32 * MIB, 8 * MIB);
    await second.kept(32 * MIB, 40 * MIB);
    expect(await onDisk()).toBeLessThanOrEqual(size);
    expect(second.cache.used).toBeLessThanOrEqual(size);
    const has = (at: number) => second.cache.has(VERSION, at, 40 * MIB);
    expect(await Promise.all([0, 8, 16, 24, 32].map((at) => has(at * MIB)))).toEqual([
      true,
      false,
      true,
      true,
      true,
    ]);
    // A smaller bound holds from the start on.
    const third = new Mounted(bytes, { size: 10 * MIB });
    await third.cache.settled();
    expect(await onDisk()).toBeLessThanOrEqual(10 * MIB);
  });

  test("S7.11 a disk that is full, or fails, costs one line; it is tried again later", async () => {
    const bytes = randomBytes(4 * MIB);
    let isFull = true;
    const open = (async (...args: Parameters<typeof fsp.open>) => {
      if (isFull && args[1] !== "r") throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      return fsp.open(...args);
    }) as typeof fsp.open;
    const mounted = new Mounted(bytes, { io: { ...fsp, open } });
    for (let turn = 0; turn < 3; turn += 1) {
      expect((await mounted.read(0, 4 * MIB)).equals(bytes)).toBe(true);
      await expect.poll(() => mounted.lines.length).toBe(1);
      mounted.laterMs += 61_000;
    }
    // Who wants it kept is told, and nothing is fetched in vain.
    const range = { offset: 0, length: 4 * MIB };
    await expect(mounted.reads.keep({ ...VERSION, range })).rejects.toMatchObject({
      code: "NoSpace",
    });
    const asked = mounted.asked.length;
    await expect(mounted.reads.keep({ ...VERSION, range })).rejects.toMatchObject({
      code: "NoSpace",
    });
    expect(mounted.asked).toHaveLength(asked);
    mounted.laterMs += 61_000;
    isFull = false;
    await mounted.read(0, 4 * MIB);
    await mounted.kept(0, 4 * MIB);
    expect(mounted.lines).toEqual([
      expect.stringContaining("reads go on without it"),
      "The cache can be used again",
    ]);
  });

  test("S7.13 what is to be kept is kept, however slow the disk is", async () => {
    const bytes = randomBytes(48 * MIB);
    const open = (async (...args: Parameters<typeof fsp.open>) => {
      if (args[1] !== "r") await systemClock.sleep(10);
      return fsp.open(...args);
    }) as typeof fsp.open;
    const mounted = new Mounted(bytes, { io: { ...fsp, open } });
    // More than may wait for the disk when it is only read.
    const ranges = Array.from({ length: 48 }, (_, at) => ({ offset: at * MIB, length: MIB }));
    const keep = (): Promise<number[]> =>
      Promise.all(ranges.map((range) => mounted.reads.keep({ ...VERSION, range })));
    expect(await keep()).toEqual(ranges.map(() => MIB));
    expect(await keep()).toEqual(ranges.map(() => 0));
  });

  test("S7.11 a directory is used by one mount at a time, and free when that has ended", async () => {
    const lock = await lockCache(temp.path);
    await expect(lockCache(temp.path)).rejects.toMatchObject({ code: "Config" });
    await lock[Symbol.asyncDispose]();
    await (await lockCache(temp.path))[Symbol.asyncDispose]();
  });
});

async function flip(file: string, at: number): Promise<void> {
  const content = await fsp.readFile(file);
  content[at] = (content[at] ?? 0) ^ 1;
  await fsp.writeFile(file, content);
}

async function agesOf(): Promise<number[]> {
  return Promise.all((await cacheFiles()).map(async (file) => (await fsp.stat(file)).mtimeMs));
}
