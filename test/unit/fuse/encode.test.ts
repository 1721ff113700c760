// Replies as the kernel reads them, byte by byte from the structs of linux/fuse.h.

import { describe, expect, it } from "vitest";
import type { Stat } from "../../../src/fs/mod.ts";
import {
  encodeAttr,
  encodeCreated,
  encodeDirectory,
  encodeEntry,
  encodeHeader,
  encodeNames,
  encodeOpened,
  encodeRoom,
  encodeSought,
  encodeStatFs,
  encodeWritten,
} from "../../../src/fuse/encode.ts";
import { toHandleId, toIno } from "../../../src/model/mod.ts";
import { struct } from "./struct.ts";

const STAT: Stat = {
  ino: toIno(2 ** 40 + 5),
  size: 1025,
  mode: 0o100644,
  nlink: 1,
  uid: 1000,
  gid: 100,
  atimeMs: 1_700_000_000_001.5,
  mtimeMs: -1,
  ctimeMs: 0,
};
const ATTR = struct(
  ["u64", 2n ** 40n + 5n],
  ["u64", 1025n],
  ["u64", 3n], // blocks of 512, rounded up
  ["u64", 1_700_000_000n],
  ["u64", BigInt.asUintN(64, -1n)],
  ["u64", 0n],
  ["u32", 1_500_000],
  ["u32", 999_000_000],
  ["u32", 0],
  ["u32", 0o100644],
  ["u32", 1],
  ["u32", 1000],
  ["u32", 100],
  ["u32", 0],
  ["u32", 1024 * 1024],
  ["u32", 0],
);
const ENTRY = Buffer.concat([
  struct(["u64", 2n ** 40n + 5n], ["u64", 0n], ["u64", 1n], ["u64", 1n], ["u32", 0], ["u32", 0]),
  ATTR,
]);

describe("headers", () => {
  it("carry length, negative errno and the number as it came", () => {
    expect(encodeHeader(0x8000000000000004n, 2, 0)).toEqual(
      struct(["u32", 16], ["u32", 2 ** 32 - 2], ["u64", 0x8000000000000004n]),
    );
    expect(encodeHeader(6n, 0, 104)).toEqual(struct(["u32", 120], ["u32", 0], ["u64", 6n]));
  });
});

describe("attributes", () => {
  it("fuse_attr_out has 104 bytes, fuse_entry_out 128", () => {
    expect(encodeAttr(STAT)).toEqual(
      Buffer.concat([struct(["u64", 1n], ["u32", 0], ["u32", 0]), ATTR]),
    );
    expect(encodeEntry(STAT)).toEqual(ENTRY);
    expect([encodeAttr(STAT).length, encodeEntry(STAT).length]).toEqual([104, 128]);
  });

  it("a time that no double holds to the second is cut, not refused", () => {
    const seconds = (mtimeMs: number): bigint =>
      encodeAttr({ ...STAT, mtimeMs }).readBigInt64LE(16 + 32);
    expect(seconds(4_294_967_296_500)).toBe(4_294_967_296n); // beyond 2106
    expect(seconds(-62_135_596_800_000)).toBe(-62_135_596_800n); // the year 1
    expect(seconds(1e300)).toBe(2n ** 53n - 1n);
    expect(seconds(-1e300)).toBe(1n - 2n ** 53n);
  });

  it("a time that rounds to a full second stays below it", () => {
    const almost = encodeAttr({ ...STAT, mtimeMs: 1999.9999999 });
    expect([almost.readBigInt64LE(48), almost.readUInt32LE(68)]).toEqual([1n, 999_999_999]);
  });
});

describe("open replies", () => {
  const handle = toHandleId(9);
  const flagsOf = (reply: Buffer): number => reply.readUInt32LE(reply.length - 8);

  it("tell the page cache what to do", () => {
    expect(encodeOpened({ handle, cache: "direct" }, true)).toEqual(
      struct(["u64", 9n], ["u32", 1], ["u32", 0]),
    );
    expect(flagsOf(encodeOpened({ handle, cache: "fresh" }, true))).toBe(0);
    expect(flagsOf(encodeOpened({ handle, cache: "keep" }, true))).toBe(2);
  });

  it("spare who only reads the FLUSH at close", () => {
    expect(flagsOf(encodeOpened({ handle, cache: "keep" }, false))).toBe(2 | 32);
  });

  it("of CREATE follow the entry", () => {
    expect(encodeCreated(STAT, { handle, cache: "direct" }, true)).toEqual(
      Buffer.concat([ENTRY, struct(["u64", 9n], ["u32", 1], ["u32", 0])]),
    );
  });
});

describe("directories", () => {
  const entry = (name: string, cookie: number) => ({
    name,
    ino: toIno(cookie + 10),
    type: 0o040000,
    cookie,
  });

  it("are fuse_dirent padded to 8 bytes", () => {
    expect(encodeDirectory([entry("ab", 1), entry("ä", 2)], 4096)).toEqual(
      Buffer.concat([
        struct(["u64", 11n], ["u64", 1n], ["u32", 2], ["u32", 4]),
        Buffer.from("ab\0\0\0\0\0\0"),
        struct(["u64", 12n], ["u64", 2n], ["u32", 2], ["u32", 4]),
        Buffer.from("ä\0\0\0\0\0\0"),
      ]),
    );
  });

  it("hold as many whole entries as the kernel has room for", () => {
    const entries = [entry("a", 1), entry("b", 2), entry("c", 3)];
    expect(encodeDirectory(entries, 32 * 2 + 31).length).toBe(32 * 2);
    expect(encodeDirectory(entries, 31).length).toBe(0);
    expect(encodeDirectory([], 4096).length).toBe(0);
  });
});

describe("small replies", () => {
  it("WRITE says how much, LSEEK where", () => {
    expect(encodeWritten(1048576)).toEqual(struct(["u32", 1048576], ["u32", 0]));
    expect(encodeSought(2 ** 33)).toEqual(struct(["u64", 2n ** 33n]));
  });

  it("S6.6 GETXATTR says how much room is needed, LISTXATTR ends each name with a NUL", () => {
    expect(encodeRoom(300)).toEqual(struct(["u32", 300], ["u32", 0]));
    expect(encodeNames(["user.a", "user.ä"])).toEqual(Buffer.from("user.a\0user.ä\0"));
  });

  it("STATFS has 80 bytes", () => {
    const reply = encodeStatFs({
      blocks: 2 ** 38,
      blocksFree: 5,
      blockSize: 4096,
      files: 6,
      filesFree: 7,
      nameSizeMax: 255,
    });
    expect(reply).toEqual(
      Buffer.concat([
        struct(["u64", 2n ** 38n], ["u64", 5n], ["u64", 5n], ["u64", 6n], ["u64", 7n]),
        struct(["u32", 4096], ["u32", 255], ["u32", 4096]),
        Buffer.alloc(28),
      ]),
    );
    expect(reply.length).toBe(80);
  });
});
