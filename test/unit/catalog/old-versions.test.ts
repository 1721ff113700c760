// Directories as older versions left them, byte by byte: they open, and nothing in them is lost.

import { Level } from "level";
import { describe, expect, test } from "vitest";
import { toKey } from "../../../src/model/mod.ts";
import { Fixture, KEY, PUTS, SAVE_RECORD } from "./fixture.ts";

const AB = "ab".repeat(32);
const CD = "cd".repeat(32);

/** The example of version 1's docs/data-format.md: a closed save of three parts, its upload, a renaming. */
const VERSION_1: readonly (readonly [string, string])[] = [
  [
    "a/upload-1/00002",
    `1 0ace0756 {"uploadId":"upload-1","partNumber":2,"sha256":"${AB}","size":8388608,"etag":"\\"part\\""}`,
  ],
  ["m/boot", '1 403b74ca {"id":"boot-1","clean":true}'],
  ["m/identity", '1 a9e004d3 {"endpoint":"https://store","bucket":"mine","prefix":""}'],
  ["m/next", '1 3f77987d {"next":65538}'],
  ["m/schema", '1 7eb9c664 {"version":1}'],
  ["m/sync", "1 46a3c895 1795542794562"],
  [
    "n/dir/new",
    '1 2e453aa1 {"kind":"copy","from":"dir/model.bin","etag":"\\"old\\"","size":3,"order":13}',
  ],
  [
    "o/dir/model.bin",
    `1 4e12c1b2 {"key":"dir/model.bin","etag":"\\"old\\"","size":3,"attributes":{"mode":33188,"uid":1000,"gid":100,"mtimeMs":1700000000123.25},"parts":[{"sha256":"${CD}","size":3}],"plan":{"tiers":[{"count":4000,"size":8388608}]}}`,
  ],
  [
    "p/00000000000000a1/00002",
    `1 647b8c55 {"save":"00000000000000a1","partNumber":2,"content":{"kind":"spill","rev":3,"size":8388608,"sha256":"${AB}"}}`,
  ],
  ["r/00000000000000000042", '1 086ab7bd {"unique":"42","reply":{"ino":7,"handle":8}}'],
  [
    "s/00000000000000a1",
    '1 e58baf58 {"id":"00000000000000a1","key":"dir/model.bin","ino":7,"base":{"kind":"object","etag":"\\"old\\"","size":3},"attributes":{"mode":33188,"uid":1000,"gid":100,"mtimeMs":1700000000123.25},"size":16777217,"fsynced":true,"state":{"kind":"closed","size":16777217,"closedAt":1700000000500,"order":12}}',
  ],
  [
    "u/dir/model.bin\0upload-1",
    '1 5fae5f4f {"key":"dir/model.bin","uploadId":"upload-1","token":"00000000000000a2","plan":{"tiers":[{"count":4000,"size":8388608}]},"createdAt":1700000000000,"doubt":false}',
  ],
  ["x/upload-0", '1 cfe06d89 {"key":"dir/model.bin"}'],
];

async function write(dir: string, records: readonly (readonly [string, string])[]): Promise<void> {
  const db = new Level<string, string>(dir, { keyEncoding: "utf8", valueEncoding: "utf8" });
  await db.open();
  for (const [key, value] of records) await db.put(key, value);
  await db.close();
}

async function schemaOf(dir: string): Promise<string | undefined> {
  const db = new Level<string, string>(dir);
  await db.open();
  try {
    return await db.get("m/schema");
  } finally {
    await db.close();
  }
}

/** The record of that kind which the fixture has, too. */
function recordOf(kind: string): unknown {
  const change = PUTS.find(({ put }) => put === kind);
  return change !== undefined && "record" in change ? change.record : undefined;
}

describe("Catalog.open", () => {
  test("opens a directory of version 1 with all that is pending in it, and makes it one of this version", async () => {
    await using fixture = await Fixture.create();
    await write(fixture.dir, VERSION_1);
    const catalog = await fixture.open();
    expect(catalog).toMatchObject({ isNew: false, cleanStop: true });
    expect(await catalog.contents()).toEqual({
      saves: [SAVE_RECORD],
      parts: [recordOf("part")],
      data: [],
      uploads: [recordOf("upload")],
      acks: [recordOf("ack")],
      wants: [
        { key: "dir/new", want: { kind: "copy", from: KEY, etag: '"old"', size: 3, order: 13 } },
      ],
      aborts: [{ key: KEY, uploadId: "upload-0" }],
      replies: [recordOf("reply")],
    });
    expect(await catalog.findObject(toKey("dir/model.bin"))).toEqual(recordOf("object"));
    expect(catalog.allocate()).toBeGreaterThanOrEqual(65_538);
    await catalog.close();
    expect(await schemaOf(fixture.dir)).toMatch(/^1 [0-9a-f]{8} \{"version":3\}$/);
    await (await fixture.open()).close();
  });

  test("refuses a directory of version 1 in which a byte has changed", async () => {
    await using fixture = await Fixture.create();
    const rotten = VERSION_1.map(([key, value]) => [key, value.replace("1000", "1001")] as const);
    await write(fixture.dir, rotten);
    const catalog = await fixture.open();
    await expect(catalog.contents()).rejects.toMatchObject({ code: "Corrupt" });
  });
});
