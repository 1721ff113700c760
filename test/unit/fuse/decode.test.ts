// Requests as the kernel writes them, byte by byte from the structs of linux/fuse.h.

import { describe, expect, it } from "vitest";
import {
  decodeBatchForget,
  decodeCreate,
  decodeFallocate,
  decodeLseek,
  decodeNames,
  decodeOpen,
  decodeRead,
  decodeRename,
  decodeRename2,
  decodeRoom,
  decodeSetattr,
  decodeSetxattr,
  decodeWrite,
} from "../../../src/fuse/decode.ts";
import { isResent, originalUnique, parseMessage, readU64 } from "../../../src/fuse/message.ts";
import { toIno } from "../../../src/model/mod.ts";
import { struct } from "./struct.ts";

const NOTHING_CHANGES = {
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atimeMs: undefined,
  mtimeMs: undefined,
  killPrivileges: false,
};

describe("parseMessage", () => {
  const header = struct(
    ["u32", 44],
    ["u32", 3],
    ["u64", 0x8000000000000012n],
    ["u64", 7n],
    ["u32", 1000],
    ["u32", 100],
    ["u32", 4711],
    ["u32", 0],
  );

  it("reads the 40 bytes of fuse_in_header", () => {
    const message = parseMessage(Buffer.concat([header, Buffer.from("abcd"), Buffer.alloc(9)]), 44);
    expect(header.length).toBe(40);
    expect(message.header).toEqual({
      opcode: 3,
      unique: 0x8000000000000012n,
      ino: 7,
      uid: 1000,
      gid: 100,
      pid: 4711,
    });
    expect(message.body.toString()).toBe("abcd");
  });

  it("tells a resent request by bit 63 of its number", () => {
    const { unique } = parseMessage(Buffer.concat([header, Buffer.alloc(4)]), 44).header;
    expect([isResent(unique), originalUnique(unique)]).toEqual([true, 0x12n]);
    expect([isResent(0x12n), originalUnique(0x12n)]).toEqual([false, 0x12n]);
  });

  it("refuses a request whose length is not the one it says", () => {
    expect(() => parseMessage(header, 40)).toThrow("torn");
  });
});

describe("readU64", () => {
  it("reads up to 2^53 - 1 and refuses what is above", () => {
    expect(readU64(struct(["u64", 2n ** 53n - 1n]), 0)).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => readU64(struct(["u64", 2n ** 53n]), 0)).toThrow(
      expect.objectContaining({ code: "TooLarge" }),
    );
  });
});

describe("decodeSetattr", () => {
  const setattr = (valid: number): Buffer =>
    struct(
      ["u32", valid],
      ["u32", 0],
      ["u64", 99n], // fh
      ["u64", 12345n], // size
      ["u64", 0n], // lock_owner
      ["u64", 10n], // atime
      ["u64", BigInt.asUintN(64, -1n)], // mtime: one second before 1970
      ["u64", 30n], // ctime
      ["u32", 500_000_000],
      ["u32", 250_000_000],
      ["u32", 0],
      ["u32", 0o100600],
      ["u32", 0],
      ["u32", 1],
      ["u32", 2],
      ["u32", 0],
    );

  it("takes only what `valid` names", () => {
    expect(setattr(0).length).toBe(88);
    expect(decodeSetattr(setattr(0))).toEqual(NOTHING_CHANGES);
    expect(decodeSetattr(setattr(1 << 3))).toEqual({ ...NOTHING_CHANGES, size: 12345 });
    expect(decodeSetattr(setattr((1 << 0) | (1 << 1) | (1 << 2) | (1 << 11)))).toEqual({
      ...NOTHING_CHANGES,
      mode: 0o100600,
      uid: 1,
      gid: 2,
      killPrivileges: true,
    });
  });

  it("ignores handle, lock owner and ctime", () => {
    expect(decodeSetattr(setattr((1 << 6) | (1 << 9) | (1 << 10)))).toEqual(NOTHING_CHANGES);
  });

  it("reads times with their nanoseconds, before 1970 too, and `now`", () => {
    const both = (1 << 4) | (1 << 5);
    expect(decodeSetattr(setattr(both))).toMatchObject({ atimeMs: 10_500, mtimeMs: -750 });
    expect(decodeSetattr(setattr(both | (1 << 7) | (1 << 8)))).toMatchObject({
      atimeMs: "now",
      mtimeMs: "now",
    });
  });
});

describe("xattrs", () => {
  const setxattr = (flags: number): Buffer =>
    Buffer.concat([struct(["u32", 3], ["u32", flags]), Buffer.from("user.a\0\0\xff2", "latin1")]);

  it("S6.6 fuse_setxattr_in is followed by the name and the value, whatever bytes it has", () => {
    const bytes = Buffer.from([0, 0xff, 0x32]);
    expect(decodeSetxattr(setxattr(0))).toEqual({
      name: Buffer.from("user.a"),
      value: { bytes, mode: "set" },
    });
    expect(decodeSetxattr(setxattr(1)).value.mode).toBe("create");
    expect(decodeSetxattr(setxattr(2)).value.mode).toBe("replace");
    expect(() => decodeSetxattr(setxattr(0).subarray(0, -1))).toThrow("torn");
  });

  it("fuse_getxattr_in says how much room there is", () => {
    expect(decodeRoom(struct(["u32", 100], ["u32", 0]))).toBe(100);
  });
});

describe("names", () => {
  it("are bytes up to the NUL, whatever they are", () => {
    const body = Buffer.from([1, 2, 0xff, 0xfe, 0, 0x61, 0, 9]);
    expect(decodeNames(body, 2, 2)).toEqual([Buffer.from([0xff, 0xfe]), Buffer.from("a")]);
  });

  it("must end", () => {
    expect(() => decodeNames(Buffer.from("abc"), 0, 1)).toThrow(RangeError);
  });

  it("of RENAME and RENAME2 come behind structs of 8 and 16 bytes", () => {
    const names = Buffer.from("old\0new\0");
    const renamed = { from: { parent: 2, name: "old" }, to: { parent: 3, name: "new" } };
    const readable = ({ from, to, flags }: ReturnType<typeof decodeRename>) => ({
      from: { ...from, name: from.name.toString() },
      to: { ...to, name: to.name.toString() },
      flags,
    });
    const plain = decodeRename(Buffer.concat([struct(["u64", 3n]), names]), toIno(2));
    expect(readable(plain)).toEqual({ ...renamed, flags: { noReplace: false, exchange: false } });
    const second = (flags: number): Buffer =>
      Buffer.concat([struct(["u64", 3n], ["u32", flags], ["u32", 0]), names]);
    expect(readable(decodeRename2(second(1), toIno(2)))).toEqual({
      ...renamed,
      flags: { noReplace: true, exchange: false },
    });
    expect(decodeRename2(second(2), toIno(2)).flags).toEqual({ noReplace: false, exchange: true });
    expect(() => decodeRename2(second(4), toIno(2))).toThrow(
      expect.objectContaining({ code: "Invalid" }),
    );
  });
});

describe("open flags", () => {
  const open = (flags: number, openFlags = 0) =>
    decodeOpen(struct(["u32", flags], ["u32", openFlags]));

  it("know who reads and who writes", () => {
    expect(open(0).flags).toMatchObject({ read: true, write: false });
    expect(open(1).flags).toMatchObject({ read: false, write: true });
    expect(open(2).flags).toMatchObject({ read: true, write: true });
  });

  it("know append, truncation and exclusiveness", () => {
    expect(open(1 | 0o2000).flags).toMatchObject({ append: true, truncate: false });
    expect(open(1 | 0o1000).flags).toMatchObject({ append: false, truncate: true });
    expect(open(1 | 0o200).flags).toMatchObject({ exclusive: true });
  });

  it("of the request itself ask to clear setuid", () => {
    expect(open(1, 0).killPrivileges).toBe(false);
    expect(open(1, 1).killPrivileges).toBe(true);
  });

  it("of CREATE come with a mode and a name", () => {
    const head = struct(["u32", 0o301], ["u32", 0o100640], ["u32", 0o22], ["u32", 1]);
    const { name, mode, flags } = decodeCreate(Buffer.concat([head, Buffer.from("a b\0")]));
    expect([name.toString(), mode, flags.exclusive]).toEqual(["a b", 0o100640, true]);
  });
});

describe("data requests", () => {
  it("READ: fuse_read_in", () => {
    const body = struct(
      ["u64", 5n],
      ["u64", 2n ** 40n],
      ["u32", 4096],
      ["u32", 0],
      ["u64", 0n],
      ["u64", 0n],
    );
    expect(body.length).toBe(40);
    expect(decodeRead(body)).toEqual({ handle: 5, offset: 2 ** 40, length: 4096 });
  });

  it("WRITE: fuse_write_in, and its bytes without a copy", () => {
    const head = struct(
      ["u64", 5n],
      ["u64", 10n],
      ["u32", 3],
      ["u32", 4],
      ["u64", 0n],
      ["u32", 1],
      ["u32", 0],
    );
    const body = Buffer.concat([head, Buffer.from("xyz")]);
    const write = decodeWrite(body);
    expect(write).toMatchObject({ handle: 5, offset: 10, killPrivileges: true });
    expect(write.data.toString()).toBe("xyz");
    expect(write.data.buffer).toBe(body.buffer);
    expect(() => decodeWrite(body.subarray(0, 42))).toThrow("torn");
  });

  it("FALLOCATE: fuse_fallocate_in", () => {
    const body = struct(["u64", 5n], ["u64", 1n], ["u64", 2n], ["u32", 3], ["u32", 0]);
    expect(decodeFallocate(body)).toEqual({ handle: 5, mode: 3, range: { offset: 1, length: 2 } });
  });

  it("LSEEK: the offset is signed", () => {
    const body = struct(["u64", 5n], ["u64", BigInt.asUintN(64, -1n)], ["u32", 3], ["u32", 0]);
    expect(decodeLseek(body)).toEqual({ offset: -1n, whence: 3 });
  });

  it("BATCH_FORGET: fuse_batch_forget_in and its list", () => {
    const body = struct(["u32", 2], ["u32", 0], ["u64", 7n], ["u64", 1n], ["u64", 8n], ["u64", 3n]);
    expect(decodeBatchForget(body)).toEqual([
      { ino: 7, count: 1 },
      { ino: 8, count: 3 },
    ]);
  });
});
