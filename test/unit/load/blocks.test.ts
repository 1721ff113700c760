// Blocks over a store of which each request can be seen, held up and broken.

import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { codeOf, KodomountError, systemClock, unlessAborted } from "../../../src/base/mod.ts";
import { BLOCK_SIZE } from "../../../src/load/block-memory.ts";
import { Blocks } from "../../../src/load/mod.ts";
import { toEtag, toKey } from "../../../src/model/mod.ts";
import type { ByteRange, ObjectStore } from "../../../src/store/mod.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** One object; `answer` may hold a request up, or refuse it. */
class OneObject implements Pick<ObjectStore, "read"> {
  readonly requests: ByteRange[] = [];
  readonly aborted: ByteRange[] = [];
  answer: (range: ByteRange) => Promise<void> = async () => {};
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  async read(
    { range }: { range: ByteRange },
    sink: (piece: Buffer) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    this.requests.push(range);
    try {
      await unlessAborted(this.answer(range), signal ?? new AbortController().signal);
    } catch (error) {
      if (codeOf(error) === "Interrupted") this.aborted.push(range);
      throw error;
    }
    // In pieces that are no multiple of anything.
    for (let at = 0; at < range.length; at += 65_521)
      sink(
        this.bytes.subarray(range.offset + at, range.offset + Math.min(range.length, at + 65_521)),
      );
  }
}

function begin(size: number, memory = 16 * MIB) {
  const store = new OneObject(randomBytes(size));
  const blocks = new Blocks({ store, clock: systemClock, memory });
  const version = { key: toKey("k"), etag: toEtag('"1"'), size };
  const read = async (offset: number, length: number, signal?: AbortSignal): Promise<Buffer> =>
    Buffer.from(
      await blocks.read({ version, offset, length }, signal ?? new AbortController().signal),
    );
  return { store, blocks, version, read };
}

describe("Blocks", () => {
  test("gives what is in the object, wherever a read begins and ends", async () => {
    const { store, read } = begin(3 * MIB + 12_345);
    for (const [offset, length] of [
      [0, 1],
      [BLOCK_SIZE - 1, 2],
      [MIB - 7, 2 * MIB],
      [3 * MIB, 99_999],
      [3 * MIB + 12_344, 10],
      [4 * MIB, 10],
    ] as const)
      expect(
        (await read(offset, length)).equals(store.bytes.subarray(offset, offset + length)),
      ).toBe(true);
  });

  test("a large read at random is one request, a small one fetches its block alone", async () => {
    const { store, read } = begin(64 * MIB);
    await read(32 * MIB, MIB);
    await read(50 * MIB + 3, 10);
    expect(store.requests).toEqual([
      { offset: 32 * MIB, length: MIB },
      { offset: 50 * MIB, length: BLOCK_SIZE },
    ]);
  });

  test("a sequence asks for each byte once, and for more and more of them at a time", async () => {
    const { store, read } = begin(40 * MIB, 32 * MIB);
    for (let at = 0; at < 40 * MIB; at += MIB)
      expect((await read(at, MIB)).equals(store.bytes.subarray(at, at + MIB))).toBe(true);
    // Nothing that was fetched ahead was thrown away before it was read.
    expect(store.requests.reduce((sum, { length }) => sum + length, 0)).toBe(40 * MIB);
    expect(Math.max(...store.requests.map(({ length }) => length))).toBeGreaterThanOrEqual(MIB);
  });

  test("what is ahead is bounded by the memory, and shared among who reads in sequence", async () => {
    const { store, blocks, read } = begin(256 * MIB, 32 * MIB);
    for (let at = 0; at < 12 * MIB; at += MIB) await read(at, MIB);
    const furthest = Math.max(...store.requests.map(({ offset, length }) => offset + length));
    expect(furthest).toBeLessThanOrEqual(28 * MIB);
    const other = { key: toKey("other"), etag: toEtag('"2"'), size: 256 * MIB };
    store.requests.length = 0;
    for (let at = 0; at < 12 * MIB; at += MIB)
      await blocks.read({ version: other, offset: at, length: MIB }, new AbortController().signal);
    const its = Math.max(...store.requests.map(({ offset, length }) => offset + length));
    expect(its).toBeLessThanOrEqual(20 * MIB);
  });

  test("readers of the same bytes share one request", async () => {
    const { store, read } = begin(MIB);
    const all = await Promise.all(Array.from({ length: 8 }, () => read(0, BLOCK_SIZE)));
    expect(all.every((bytes) => bytes.equals(store.bytes.subarray(0, BLOCK_SIZE)))).toBe(true);
    expect(store.requests.filter(({ offset }) => offset === 0)).toHaveLength(1);
  });

  test("a reader that gives up leaves at once, and does not fail the others", async () => {
    const { store, read } = begin(BLOCK_SIZE);
    let go = (): void => {};
    store.answer = () =>
      new Promise((resolve) => {
        go = resolve;
      });
    const abort = new AbortController();
    const impatient = read(0, 100, abort.signal);
    const patient = read(0, 100);
    abort.abort();
    await expect(impatient).rejects.toMatchObject({ code: "Interrupted" });
    go();
    expect((await patient).equals(store.bytes.subarray(0, 100))).toBe(true);
  });

  test("S7.1 another version is Stale, and a failure is not kept", async () => {
    const { store, read } = begin(MIB);
    store.answer = () => Promise.reject(new KodomountError("PreconditionFailed", "changed"));
    await expect(read(0, 10)).rejects.toMatchObject({ code: "Stale" });
    store.answer = async () => {};
    expect((await read(0, 10)).equals(store.bytes.subarray(0, 10))).toBe(true);
  });

  test("what is fetched ahead of a file that nobody has open is given up", async () => {
    const { store, blocks, version, read } = begin(64 * MIB, 64 * MIB);
    const held: ByteRange[] = [];
    store.answer = async (range) => {
      if (range.offset < 8 * MIB || range.offset === 40 * MIB) return;
      held.push(range);
      await new Promise<never>(() => {});
    };
    for (let at = 0; held.length === 0; at += MIB) await read(at, MIB);
    blocks.forget(version);
    await expect.poll(() => store.aborted).toEqual(held);
    // Who opens it again is not told of what was given up.
    expect((await read(40 * MIB, 10)).equals(store.bytes.subarray(40 * MIB, 40 * MIB + 10))).toBe(
      true,
    );
  });

  test("memory is used again, and never while somebody looks at it", async () => {
    const { store, read } = begin(64 * MIB, 2 * BLOCK_SIZE);
    const places = Array.from({ length: 200 }, (_, index) => ((index * 7919) % 250) * BLOCK_SIZE);
    const all = await Promise.all(places.map((at) => read(at, 2 * BLOCK_SIZE)));
    const wrong = places.filter(
      (at, index) =>
        !store.bytes.subarray(at, at + 2 * BLOCK_SIZE).equals(all[index] ?? Buffer.alloc(0)),
    );
    expect(wrong).toEqual([]);
  });
});
