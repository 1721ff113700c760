// The directory of the cache, before a mount uses it.

import { mkdir, mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultCacheSize, prepareCacheDir } from "../../../src/config/mod.ts";

let base: string;
beforeEach(async () => {
  base = await mkdtemp(path.join(os.tmpdir(), "kodomount-cache-"));
});
afterEach(() => rm(base, { recursive: true }));

describe("prepareCacheDir", () => {
  it("makes it where it is missing, and is content without one", async () => {
    await prepareCacheDir({ dir: "/mnt", cache: { dir: path.join(base, "a", "b") } });
    await rm(path.join(base, "a", "b"), { recursive: true });
    await prepareCacheDir({ dir: "/mnt" });
  });

  it("refuses what cannot be used, in one line", async () => {
    const file = path.join(base, "file");
    await writeFile(file, "x");
    await expect(prepareCacheDir({ dir: "/mnt", cache: { dir: file } })).rejects.toThrow(
      `Cannot use the cache directory "${file}": it is not a directory; choose another by '--cache-dir'`,
    );
    const dir = path.join(base, "mnt", "cache");
    await expect(prepareCacheDir({ dir: path.join(base, "mnt"), cache: { dir } })).rejects.toThrow(
      `Cannot use '--cache-dir' "${dir}": it must not be in the mount point ${path.join(base, "mnt")}`,
    );
  });
});

describe("defaultCacheSize", () => {
  it("leaves most of the disk to what is pending, and does not shrink with what the cache has", async () => {
    const files = path.join(base, "blocks");
    await mkdir(files);
    await writeFile(path.join(files, "f"), Buffer.alloc(1024 ** 2, 1));
    await writeFile(path.join(base, "other"), Buffer.alloc(1024 ** 2, 1));
    const { bavail, bsize } = await statfs(base);
    const size = await defaultCacheSize({ dir: base, files, stateDir: base });
    // Others write to the disk meanwhile.
    expect(size / (bavail * bsize)).toBeGreaterThan(0.09);
    expect(size / (bavail * bsize)).toBeLessThan(0.11);
    const elsewhere = await defaultCacheSize({ dir: base, files, stateDir: "/proc" });
    expect(elsewhere / (bavail * bsize)).toBeGreaterThan(0.7);
  });
});
