// Which bytes of a file a spill has: from the names and sizes of part files alone, and with what the catalog says of them.

import { describe, expect, it } from "vitest";
import {
  type SaveRecord,
  toEtag,
  toIno,
  toKey,
  toPartNumber,
  toRev,
  toSaveId,
  toSha256,
} from "../../../src/model/mod.ts";
import { layOut } from "../../../src/salvage/mod.ts";

const PLAN = {
  tiers: [
    { count: 3, size: 10 },
    { count: 2, size: 20 },
  ],
};
const SAVE = toSaveId("00000000000000a1");
const HASH = toSha256("ab".repeat(32));

function file(number: number, rev: number, size: number) {
  return { partNumber: toPartNumber(number), rev, size };
}

function record(state: SaveRecord["state"], size = 0): SaveRecord {
  return {
    id: SAVE,
    key: toKey("a"),
    ino: toIno(2),
    base: { kind: "object", etag: toEtag('"e"'), size: 35 },
    attributes: { mode: 0o100644, uid: 0, gid: 0, mtimeMs: 0 },
    size,
    fsynced: true,
    state,
  };
}

function part(number: number, rev: number, size: number) {
  const content = { kind: "spill", rev: toRev(rev), size, sha256: HASH } as const;
  return { save: SAVE, partNumber: toPartNumber(number), content };
}

const places = (layout: ReturnType<typeof layOut>): unknown => ({
  size: layout.size,
  pieces: layout.pieces.map(({ partNumber, rev, offset, size }) => [partNumber, rev, offset, size]),
  missing: layout.missing.map(({ offset, size }) => [offset, size]),
});

describe("layOut() without a catalog", () => {
  it("takes the newest revision of each part, up to where they reach", () => {
    const files = [file(1, 2, 10), file(1, 10, 10), file(2, 1, 10), file(3, 1, 10), file(4, 1, 7)];
    expect(places(layOut(PLAN, { files }))).toEqual({
      size: 37,
      pieces: [
        [1, 10, 0, 10],
        [2, 1, 10, 10],
        [3, 1, 20, 10],
        [4, 1, 30, 7],
      ],
      missing: [],
    });
  });

  it("tells which ranges are in no file", () => {
    const files = [file(2, 1, 4), file(4, 1, 20)];
    expect(places(layOut(PLAN, { files }))).toEqual({
      size: 50,
      pieces: [
        [2, 1, 10, 4],
        [4, 1, 30, 20],
      ],
      missing: [
        [0, 10],
        [14, 6],
        [20, 10],
      ],
    });
  });

  it("takes nothing for a file, and passes over numbers that the plan does not have", () => {
    expect(places(layOut(PLAN, { files: [] }))).toEqual({ size: 0, pieces: [], missing: [] });
    expect(layOut(PLAN, { files: [file(6, 1, 10)] }).size).toBe(0);
  });

  it("does not take more of a part file than the part has", () => {
    expect(places(layOut(PLAN, { files: [file(1, 1, 99), file(2, 1, 1)] }))).toMatchObject({
      pieces: [
        [1, 1, 0, 10],
        [2, 1, 10, 1],
      ],
    });
  });
});

describe("layOut() with a catalog", () => {
  const closed = record({ kind: "closed", size: 35, closedAt: 0, order: 1 });

  it("takes the revisions that were closed, and their hashes; what has no record is zeros", () => {
    const layout = layOut(PLAN, {
      files: [file(1, 1, 10), file(1, 2, 10), file(4, 3, 9)],
      record: closed,
      parts: [part(1, 1, 10), part(4, 3, 5)],
    });
    expect(places(layout)).toEqual({
      size: 35,
      pieces: [
        [1, 1, 0, 10],
        [4, 3, 30, 5],
      ],
      missing: [],
    });
    expect(layout.pieces.map(({ sha256 }) => sha256)).toEqual([HASH, HASH]);
  });

  it("tells what only the store had, of a file larger than the spill", () => {
    const content = { kind: "evicted", rev: toRev(1), size: 10, sha256: HASH } as const;
    const layout = layOut(PLAN, {
      files: [file(1, 1, 10), file(3, 1, 10), file(4, 1, 5)],
      record: closed,
      parts: [
        part(1, 1, 10),
        { save: SAVE, partNumber: toPartNumber(2), content },
        part(3, 1, 10),
        part(4, 1, 5),
      ],
    });
    expect(layout.missing).toEqual([
      { offset: 10, size: 10, why: expect.stringMatching(/^in an upload/) },
    ]);
  });

  it("tells what was unchanged from the object, what is gone, and what is cut off", () => {
    const base = { save: SAVE, partNumber: toPartNumber(3), content: { kind: "base" } as const };
    const layout = layOut(PLAN, {
      files: [file(2, 1, 6)],
      record: closed,
      parts: [part(1, 1, 10), part(2, 1, 10), base],
    });
    expect(
      layout.missing.map(({ offset, size, why }) => [offset, size, why.split(":")[0]]),
    ).toEqual([
      [0, 10, "not in the spill"],
      [16, 4, "not in the part's file"],
      [20, 10, "unchanged from the object that was in the bucket"],
    ]);
    // The hash is of all of it.
    expect(layout.pieces[0]?.sha256).toBeUndefined();
  });

  it("takes newer bytes than the records tell of what was still being written", () => {
    const open = record({ kind: "open" }, 10);
    const files = [file(1, 1, 10), file(1, 2, 10), file(2, 1, 3)];
    expect(places(layOut(PLAN, { files, record: open, parts: [part(1, 1, 10)] }))).toEqual({
      size: 13,
      pieces: [
        [1, 2, 0, 10],
        [2, 1, 10, 3],
      ],
      missing: [],
    });
  });
});
