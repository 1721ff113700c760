// What is fetched into the cache, of a bucket and a cache that the test makes up.

import { describe, expect, test } from "vitest";
import { KodomountError, newAbort, nextTurn, systemClock } from "../../../src/base/mod.ts";
import { warm } from "../../../src/load/mod.ts";
import type { ReadRequest } from "../../../src/load/reader.ts";
import type { WarmParts, WarmProgress, WarmResult } from "../../../src/load/warm.ts";
import { nameOf, toEtag, toKey } from "../../../src/model/mod.ts";

const MIB = 1024 * 1024;
const SIZES: Record<string, number> = { "m/a": 5 * MIB, "m/b/c": 3 * MIB, "m/empty": 0, "m/b/": 0 };

/** `keep` is the cache's answer. */
function begin(keep: WarmParts["keep"], cacheSize = 64 * MIB) {
  const object = (key: string) => ({
    key: toKey(key),
    etag: toEtag('"1"'),
    size: SIZES[key] ?? 0,
    lastModifiedMs: 0,
    storageClass: undefined,
  });
  const progress: WarmProgress[] = [];
  const abort = newAbort();
  const loader: WarmParts["loader"] = {
    find: async (directory, name) => {
      const key = `${directory}${name}`;
      const attributes = { mode: 0, uid: 0, gid: 0, mtimeMs: 0, ctimeMs: 0 };
      if (SIZES[key] !== undefined) return { kind: "file", ...object(key), attributes };
      const isDirectory = Object.keys(SIZES).some((each) => each.startsWith(`${key}/`));
      return isDirectory ? { kind: "directory", key: toKey(`${key}/`) } : undefined;
    },
    async *below(prefix) {
      for (const key of Object.keys(SIZES)) if (key.startsWith(prefix)) yield object(key);
    },
  };
  const run = (...paths: string[]): Promise<WarmResult> =>
    warm(
      { loader, keep, cacheSize, clock: systemClock },
      paths,
      (now) => progress.push(now),
      abort.signal,
    );
  return { run, progress, abort };
}

describe("warm", () => {
  test("S7.13 fetches each byte once, of files and of all below directories", async () => {
    const kept: ReadRequest[] = [];
    const { run, progress } = begin(async (request) => {
      kept.push(request);
      await nextTurn();
      return request.length / 2;
    });
    expect(await run("m/a", "m", "")).toEqual({
      files: 2,
      bytes: 8 * MIB,
      bytesFetched: 4 * MIB,
      failed: [],
    });
    const ranges = kept.map(({ version, offset, length }) => [version.key, offset, length]);
    expect(ranges).toEqual([
      ...[0, 1, 2, 3, 4].map((at) => ["m/a", at * MIB, MIB]),
      ...[0, 1, 2].map((at) => ["m/b/c", at * MIB, MIB]),
    ]);
    expect(progress[0]).toEqual({ files: 2, bytes: 8 * MIB, filesDone: 0, bytesDone: 0 });
  });

  test("S7.13 one that cannot be fetched is named, and does not keep the others from it", async () => {
    const { run } = begin(async ({ version, length }) => {
      if (nameOf(version.key) === "a") throw new KodomountError("Archived", "m/a is archived");
      return length;
    });
    expect(await run("m")).toMatchObject({ bytesFetched: 3 * MIB, failed: ["m/a is archived"] });
  });

  test("S7.13 what is not there, and what is too much for the cache, is refused before anything is fetched", async () => {
    const { run } = begin(async () => {
      throw new KodomountError("Programmer", "nothing was to be fetched");
    }, 7 * MIB);
    await expect(run("m/a", "m/x")).rejects.toMatchObject({ code: "NotFound" });
    await expect(run("m")).rejects.toMatchObject({
      code: "TooLarge",
      message: expect.stringContaining("7 MiB"),
    });
  });

  test("S7.13 ends at once when the cache takes nothing, or nobody waits any more", async () => {
    const { run: full } = begin(async () => {
      throw new KodomountError("NoSpace", "full");
    });
    await expect(full("m")).rejects.toMatchObject({ code: "NoSpace" });
    const { run, abort } = begin(async (_, signal) => {
      abort.abort();
      throw new KodomountError("Interrupted", String(signal.aborted));
    });
    await expect(run("m")).rejects.toMatchObject({ code: "Interrupted" });
  });
});
