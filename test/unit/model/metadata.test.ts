// Attributes in the metadata of objects, ours and those of other tools.

import { describe, expect, test } from "vitest";
import { fromMetadata, modeFor, S_IFREG, toMetadata } from "../../../src/model/mod.ts";

const ATTRIBUTES = {
  mode: S_IFREG | 0o640,
  uid: 1000,
  gid: 0,
  mtimeMs: 1_700_000_000_123.5,
};
const NOTE = { "user.note": Buffer.from("text").toString("base64") };

describe("toMetadata() and fromMetadata()", () => {
  test("S6.1 come back as they went", () => {
    expect(fromMetadata(toMetadata(ATTRIBUTES, "save"))).toEqual(ATTRIBUTES);
    const all = { ...ATTRIBUTES, uid: 4_294_967_294, xattrs: { ...NOTE, 'user.ä"%': "" } };
    expect(fromMetadata(toMetadata(all, "save"))).toEqual(all);
    expect(toMetadata(ATTRIBUTES, "save")["kodomount-save"]).toBe("save");
  });

  test("S6.1 times before 1970 and far beyond it come back, in plain decimals", () => {
    for (const mtimeMs of [0, -0.5, -1, -1500, -1500.25, -62_135_596_800_000, 2 ** 42 + 0.25])
      expect(fromMetadata(toMetadata({ ...ATTRIBUTES, mtimeMs }, "s")).mtimeMs).toBe(mtimeMs);
    const { mtime } = toMetadata({ ...ATTRIBUTES, mtimeMs: -1500 }, "s");
    expect(mtime).toBe("-1.500000000");
    expect(
      Number.isFinite(fromMetadata(toMetadata({ ...ATTRIBUTES, mtimeMs: 9e21 }, "s")).mtimeMs),
    ).toBe(true);
  });

  test("S6.3 what is absent or makes no sense is left out", () => {
    const none = { mode: undefined, uid: undefined, gid: undefined, mtimeMs: undefined };
    expect(fromMetadata({})).toEqual(none);
    expect(fromMetadata({ mode: "x", uid: "-1", gid: "", mtime: "yesterday" })).toEqual(none);
    expect(fromMetadata({ mode: "1e300", uid: "4294967296", xattr: "{" })).toEqual(none);
    expect(fromMetadata({ xattr: encodeURIComponent('{"a":"b","user.c":1}') })).toEqual(none);
  });

  test("rclone's octal mode and RFC 3339 time are read", () => {
    expect(fromMetadata({ mode: "0100664" }).mode).toBe(0o100664);
    expect(fromMetadata({ mtime: "2024-01-02T03:04:05.5Z" }).mtimeMs).toBe(1_704_164_645_500);
  });

  test("modeFor() makes nothing but files, symlinks and directories of them", () => {
    expect(modeFor("file", 0o040755)).toBe(0o100755);
    expect(modeFor("file", 0o120777)).toBe(0o120777);
    expect(modeFor("directory", 0o100700)).toBe(0o040700);
  });
});

describe("S6.1 metadata that the store would refuse for its size", () => {
  const others = (size: number): Record<string, string> => ({ theirs: "x".repeat(size) });

  test("what others have written stays, our xattrs are left out first, then mode, owner and time", () => {
    const all = { ...ATTRIBUTES, xattrs: NOTE };
    expect(toMetadata(all, "s", others(1000))).toHaveProperty("xattr");
    const without = toMetadata(all, "s", { ...others(1850), xattr: "old" });
    expect(without).toMatchObject({ ...others(1850), mode: "33184" });
    expect(without).not.toHaveProperty("xattr");
    expect(Object.keys(toMetadata(all, "s", others(1900)))).toEqual(["theirs", "kodomount-save"]);
    const large = { ...ATTRIBUTES, xattrs: { "user.large": "x".repeat(3000) } };
    expect(toMetadata(large, "s")).not.toHaveProperty("xattr");
  });

  test("xattrs that were removed do not stay in a copy", () => {
    expect(toMetadata(ATTRIBUTES, "s", { xattr: "old" })).not.toHaveProperty("xattr");
    expect(toMetadata(undefined, "s", { xattr: "old" })).toEqual({
      xattr: "old",
      "kodomount-save": "s",
    });
  });
});
