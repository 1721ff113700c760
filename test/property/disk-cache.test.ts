// Random readers over a cache on disk that is too small for what they read, while somebody damages its files and mounts
// come and go: no wrong byte, and the bound holds. KODOMOUNT_SEED=N repeats a failure.

import fsp from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { BLOCK_SIZE } from "../../src/load/block-memory.ts";
import { CachedReads } from "../../src/load/cached-reads.ts";
import { cacheFilesDir, DiskCache } from "../../src/load/disk-cache.ts";
import { toEtag, toKey } from "../../src/model/mod.ts";
import { tempDir } from "../support/temp.ts";
import { randomContent } from "../support/world.ts";

const MIB = 1024 * 1024;
const SIZE = 20 * MIB;
const CONTENTS = [11 * MIB + 5, 9 * MIB, 700].map((size) => randomContent(size));
const seed = process.env["KODOMOUNT_SEED"];

type Step =
  | { readonly do: "read"; readonly object: number; readonly from: number; readonly blocks: number }
  | { readonly do: "flip" | "cut"; readonly file: number; readonly at: number }
  | { readonly do: "remove"; readonly file: number }
  | { readonly do: "swap"; readonly file: number }
  | { readonly do: "restart" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constant("read" as const),
        object: fc.nat(CONTENTS.length - 1),
        from: fc.nat(44),
        blocks: fc.integer({ min: 1, max: 32 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom("flip" as const, "cut" as const),
        file: fc.nat(10),
        at: fc.nat(8 * MIB),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), file: fc.nat(10) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("swap" as const), file: fc.nat(10) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  ),
  { minLength: 10, maxLength: 60 },
);

function mounted(dir: string): { cache: DiskCache; reads: CachedReads } {
  const cache = new DiskCache({
    dir,
    size: SIZE,
    source: "bucket",
    clock: systemClock,
    log: silentLog,
  });
  const reads = new CachedReads(
    {
      read: async ({ key, range }, sink) => {
        const content = CONTENTS[Number(key)] ?? Buffer.alloc(0);
        for (let at = 0; at < range.length; at += 70_001) {
          await new Promise(setImmediate);
          const end = range.offset + Math.min(range.length, at + 70_001);
          sink(content.subarray(range.offset + at, end));
        }
      },
    },
    cache,
  );
  return { cache, reads };
}

/** Whether all bytes were right. */
async function readOne(reads: CachedReads, step: Step & { do: "read" }): Promise<boolean> {
  const content = CONTENTS[step.object] ?? Buffer.alloc(0);
  const offset = (step.from * BLOCK_SIZE) % (Math.ceil(content.length / BLOCK_SIZE) * BLOCK_SIZE);
  const length = Math.min(step.blocks * BLOCK_SIZE, content.length - offset);
  const pieces: Buffer[] = [];
  const request = { key: toKey(String(step.object)), etag: toEtag('"1"') };
  await reads.read({ ...request, range: { offset, length } }, (piece) =>
    pieces.push(Buffer.from(piece)),
  );
  return Buffer.concat(pieces).equals(content.subarray(offset, offset + length));
}

async function damage(dir: string, step: Exclude<Step, { do: "read" | "restart" }>): Promise<void> {
  const names = await fsp.readdir(cacheFilesDir(dir)).catch(() => []);
  const path = (at: number): string => join(cacheFilesDir(dir), names[at % names.length] ?? "none");
  try {
    if (step.do === "remove") return await fsp.unlink(path(step.file));
    if (step.do === "cut") return await fsp.truncate(path(step.file), step.at);
    if (step.do === "swap") return await fsp.copyFile(path(step.file), path(step.file + 1));
    await using file = await fsp.open(path(step.file), "r+");
    await file.write(Buffer.from([step.at % 256]), 0, 1, step.at);
  } catch {
    // It was removed by the cache just then, which is as good.
  }
}

test("S7.9 S7.10 no wrong byte comes from a cache, whatever is done to its files, and its bound holds", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (run) => {
      await using temp = await tempDir();
      let { cache, reads } = mounted(temp.path);
      const reading: Promise<boolean>[] = [];
      for (const step of run)
        if (step.do === "restart") {
          expect(await Promise.all(reading.splice(0))).not.toContain(false);
          await cache.settled();
          ({ cache, reads } = mounted(temp.path));
        } else if (step.do === "read") {
          reading.push(readOne(reads, step));
          if (reading.length % 4 === 0) await Promise.all(reading);
        } else await damage(temp.path, step);
      expect(await Promise.all(reading)).not.toContain(false);
      await cache.settled();
      // One that begins is told what the others have left, and holds to its bound.
      const last = mounted(temp.path).cache;
      await last.settled();
      expect(last.used).toBeLessThanOrEqual(SIZE);
      expect(await onDisk(temp.path)).toBeLessThanOrEqual(SIZE);
    }),
    { numRuns: 30, ...(seed ? { seed: Number(seed) } : {}) },
  );
}, 120_000);

async function onDisk(dir: string): Promise<number> {
  const names = await fsp.readdir(cacheFilesDir(dir));
  const stats = await Promise.all(names.map((name) => fsp.stat(join(cacheFilesDir(dir), name))));
  return stats.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}
