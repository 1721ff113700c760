// The catalog on a real LevelDB: what was applied is there after it was opened again, in one piece and in order.

import { readdir, readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { ObjectRecord } from "../../../src/catalog/mod.ts";
import { toEtag, toKey, toPartNumber, toSaveId, toUploadId } from "../../../src/model/mod.ts";
import { ManualClock } from "../store/manual-clock.ts";
import { Fixture, KEY, PUTS, SAVE, SAVE_RECORD, UPLOAD } from "./fixture.ts";

const OBJECT = PUTS.flatMap((put) => (put.put === "object" ? [put.record] : []))[0];

function objectAt(key: string): ObjectRecord {
  if (OBJECT === undefined) throw new Error("the fixture has an object");
  return { ...OBJECT, key: toKey(key) };
}

describe("Catalog.contents", () => {
  test("has one record of each kind as it was applied, after a new start", async () => {
    await using fixture = await Fixture.create();
    const first = await fixture.open();
    await first.apply(PUTS, { sync: false });
    await first.close();
    const catalog = await fixture.open();
    const record = (kind: string): unknown =>
      PUTS.flatMap((put) => (put.put === kind && "record" in put ? [put.record] : []))[0];
    expect(await catalog.contents()).toEqual({
      saves: [SAVE_RECORD],
      parts: [record("part")],
      data: [record("data")],
      uploads: [record("upload")],
      acks: [record("ack")],
      wants: PUTS.flatMap((put) => (put.put === "want" ? [{ key: put.key, want: put.want }] : [])),
      aborts: [{ key: KEY, uploadId: toUploadId("upload-0") }],
      replies: [record("reply")],
    });
    expect(await catalog.findObject(KEY)).toEqual(record("object"));
  });

  test("has names that begin with any character, also beyond the first plane", async () => {
    await using fixture = await Fixture.create();
    const catalog = await fixture.open();
    const keys = ["", "a", "~", "中/b", "\u{1f600}/c", "\u{10fffd}"].map(toKey);
    await catalog.apply(
      keys.map((key) => ({ put: "want", key, want: { kind: "absent" } })),
      { sync: false },
    );
    expect((await catalog.contents()).wants.map(({ key }) => key)).toEqual(keys);
  });
});

describe("Catalog.apply", () => {
  test("deletes the parts of a save and the acknowledgements of an upload, and no others", async () => {
    await using fixture = await Fixture.create();
    const catalog = await fixture.open();
    const other = toSaveId("00000000000000a2");
    const longer = toUploadId(`${UPLOAD}/more`);
    const ack = { sha256: "x", size: 1, etag: toEtag('"e"') };
    await catalog.apply(
      [1, 2, 3].flatMap(
        (n) =>
          [
            {
              put: "part",
              record: { save: SAVE, partNumber: toPartNumber(n), content: { kind: "base" } },
            },
            {
              put: "part",
              record: { save: other, partNumber: toPartNumber(n), content: { kind: "base" } },
            },
          ] as const,
      ),
      { sync: false },
    );
    for (const uploadId of [UPLOAD, longer])
      await catalog.apply(
        [{ put: "ack", record: { ...ack, uploadId, partNumber: toPartNumber(1) } }],
        { sync: false },
      );
    await catalog.apply(
      [
        {
          put: "part",
          record: { save: SAVE, partNumber: toPartNumber(4), content: { kind: "base" } },
        },
        { del: "parts", save: SAVE },
        { del: "upload", key: KEY, uploadId: UPLOAD },
      ],
      { sync: true },
    );
    const { parts, acks } = await catalog.contents();
    expect(parts.map(({ save, partNumber }) => [save, partNumber])).toEqual([
      [other, 1],
      [other, 2],
      [other, 3],
    ]);
    expect(acks.map(({ uploadId }) => uploadId)).toEqual([longer]);
  });

  test("keeps the order of asking, whatever has to be looked up for a batch", async () => {
    await using fixture = await Fixture.create();
    const catalog = await fixture.open();
    const part = { save: SAVE, partNumber: toPartNumber(1), content: { kind: "base" } } as const;
    const writes: Promise<void>[] = [];
    for (let size = 1; size <= 50; size += 1)
      writes.push(
        catalog.apply([{ put: "part", record: part }], { sync: false }),
        catalog.apply(
          [
            { del: "parts", save: SAVE },
            { put: "save", record: { ...SAVE_RECORD, size } },
          ],
          { sync: size % 7 === 0 },
        ),
      );
    writes.push(
      catalog.apply([{ put: "save", record: { ...SAVE_RECORD, size: 51 } }], { sync: false }),
    );
    await Promise.all(writes);
    const { saves, parts } = await catalog.contents();
    expect(saves.map(({ size }) => size)).toEqual([51]);
    expect(parts).toEqual([]);
  });

  test("refuses what it could not read again, and writes nothing of that batch", async () => {
    await using fixture = await Fixture.create();
    const catalog = await fixture.open();
    const writing = catalog.apply(
      [
        { put: "abort", key: KEY, uploadId: UPLOAD },
        { put: "save", record: { ...SAVE_RECORD, size: Number.NaN } },
      ],
      { sync: false },
    );
    await expect(writing).rejects.toMatchObject({
      code: "Programmer",
      message: expect.stringContaining("save.size"),
    });
    expect((await catalog.contents()).aborts).toEqual([]);
  });

  test("keeps the newest 4,096 replies", async () => {
    await using fixture = await Fixture.create();
    const catalog = await fixture.open();
    const add = (from: number, to: number): Promise<void> =>
      catalog.apply(
        Array.from({ length: to - from }, (_, index) => ({
          put: "reply",
          record: { unique: String(from + index), reply: {} },
        })),
        { sync: false },
      );
    await add(1, 4097);
    await add(4097, 4100);
    const uniques = (await catalog.contents()).replies.map(({ unique }) => Number(unique));
    expect(uniques).toEqual(Array.from({ length: 4096 }, (_, index) => index + 4));
  });

  test("what was not synced is within a second, by one batch", async () => {
    await using fixture = await Fixture.create();
    const clock = new ManualClock();
    const catalog = await fixture.open({ clock });
    const syncs = async (): Promise<number> =>
      (await logText(fixture.dir)).split("m/sync").length - 1;
    const before = await syncs();
    for (let n = 1; n <= 5; n += 1)
      await catalog.apply([{ put: "abort", key: KEY, uploadId: toUploadId(`u${n}`) }], {
        sync: false,
      });
    expect(await syncs()).toBe(before);
    await clock.advance(1000);
    await expect.poll(syncs).toBe(before + 1);
    await clock.advance(5000);
    expect(await syncs()).toBe(before + 1);
  });
});

describe("Catalog.objectsBelow", () => {
  test("has the objects of a directory and of what lies in it, and no neighbour", async () => {
    await using fixture = await Fixture.create();
    const catalog = await fixture.open();
    const keys = ["d", "d/a", "d/sub/b", "d/\u{1f600}", "d0", "e/a"];
    await catalog.apply(
      keys.map((key) => ({ put: "object", record: objectAt(key) })),
      { sync: false },
    );
    const below = async (prefix: string): Promise<string[]> =>
      (await catalog.objectsBelow(toKey(prefix))).map(({ key }) => key);
    expect(await below("d/")).toEqual(["d/a", "d/sub/b", "d/\u{1f600}"]);
    expect(await below("")).toEqual(["d", "d/a", "d/sub/b", "d/\u{1f600}", "d0", "e/a"]);
    expect(await below("x/")).toEqual([]);
  });
});

describe("Catalog.allocate", () => {
  test("gives no number twice, not even after a process that was killed", async () => {
    await using fixture = await Fixture.create();
    const seen = new Set<number>();
    for (let run = 0; run < 3; run += 1) {
      const catalog = await fixture.open();
      for (let n = 0; n < 1000; n += 1) seen.add(catalog.allocate());
      await catalog.close();
    }
    expect(seen.size).toBe(3000);
    expect(Math.min(...seen)).toBeGreaterThan(1);
  });

  test("goes on over the end of a block", async () => {
    await using fixture = await Fixture.create();
    const catalog = await fixture.open();
    const seen = new Set<number>();
    for (let n = 0; n < 150_000; n += 1) {
      seen.add(catalog.allocate());
      if (n % 10_000 === 0) await catalog.syncNow();
    }
    expect(seen.size).toBe(150_000);
  });
});

async function logText(dir: string): Promise<string> {
  let text = "";
  for (const name of (await readdir(dir)).filter((entry) => entry.endsWith(".log")))
    text += await readFile(`${dir}/${name}`, "latin1");
  return text;
}
