// HEADs: one a version, and many at a time for who walks through a directory.

import { describe, expect, test } from "vitest";
import { KodomountError, silentLog } from "../../../src/base/mod.ts";
import { Metadata } from "../../../src/load/metadata.ts";
import { type Key, toEtag, toKey } from "../../../src/model/mod.ts";

const FILE = { etag: toEtag('"1"'), size: 1, lastModifiedMs: 7 };
const signal = new AbortController().signal;

/** Each HEAD waits until `answer` is called. */
function begin() {
  const asked: Key[] = [];
  const waiting: (() => void)[] = [];
  const head = async (key: Key) => {
    asked.push(key);
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
    });
    return { ...FILE, storageClass: undefined, metadata: { mode: "33261" } };
  };
  const answer = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  return { metadata: new Metadata({ head }, silentLog), asked, answer };
}

const names = (count: number): Key[] => Array.from({ length: count }, (_, i) => toKey(`d/${i}`));

describe("Metadata", () => {
  test("asks once for a version, however many want it at once or later", async () => {
    const { metadata, asked, answer } = begin();
    const both = [
      metadata.get(toKey("d/a"), FILE, signal),
      metadata.get(toKey("d/a"), FILE, signal),
    ];
    answer();
    expect(await Promise.all(both)).toEqual([{ mode: 0o100755 }, { mode: 0o100755 }]);
    await metadata.get(toKey("d/a"), FILE, signal);
    expect(asked).toEqual(["d/a"]);
    expect(metadata.peek(toKey("d/a"), FILE)).toEqual({ mode: 0o100755 });
  });

  test("the first question in a directory that was listed asks for 32, and each later one for more", async () => {
    const { metadata, asked, answer } = begin();
    const keys = names(100);
    metadata.walk(
      toKey("d/"),
      keys.map((key) => [key, FILE] as const),
    );
    const first = metadata.get(toKey("d/0"), FILE, signal);
    expect(asked).toEqual(keys.slice(0, 32));
    answer();
    await first;
    const later = metadata.get(toKey("d/40"), FILE, signal);
    expect(asked.length).toBeGreaterThan(32);
    expect(asked.length).toBeLessThanOrEqual(64);
    answer();
    await later;
  });

  test("who asks where nothing was listed asks for one", async () => {
    const { metadata, asked, answer } = begin();
    const one = metadata.get(toKey("e/1"), FILE, signal);
    answer();
    await one;
    expect(asked).toEqual(["e/1"]);
  });

  test("a failure reaches who asked, and the next one asks again", async () => {
    let fails = true;
    const head = async () => {
      if (fails) throw new KodomountError("Unreachable", "no");
      return { ...FILE, storageClass: undefined, metadata: {} };
    };
    const metadata = new Metadata({ head }, silentLog);
    await expect(metadata.get(toKey("d/a"), FILE, signal)).rejects.toMatchObject({
      code: "Unreachable",
    });
    fails = false;
    expect(await metadata.get(toKey("d/a"), FILE, signal)).toEqual({});
  });

  test("S7.20 of what the keys may not look at nothing is known, with one line for a directory", async () => {
    const warned: string[] = [];
    const head = async () => {
      throw new KodomountError("AccessDenied", "no");
    };
    const log = { ...silentLog, warn: (_: object, message: string) => void warned.push(message) };
    const metadata = new Metadata({ head }, log);
    for (const name of ["d/a", "d/b"])
      expect(await metadata.get(toKey(name), FILE, signal)).toEqual({});
    expect(warned).toEqual([expect.stringMatching(/d\/a.*policy allows GetObject/)]);
  });
});
