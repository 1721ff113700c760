// Names, keys and attributes: what a file may be called, and what the object's metadata say of it.

import { describe, expect, test } from "vitest";
import { codeOf } from "../../../src/base/mod.ts";
import {
  assertKeyFits,
  childDirectoryKey,
  childKey,
  isDirectoryKey,
  isName,
  NAME_SIZE_MAX,
  nameOf,
  parentKey,
  parseName,
  ROOT_KEY,
  toKey,
} from "../../../src/model/mod.ts";

function codeWhen(task: () => unknown): string {
  try {
    task();
  } catch (error) {
    return codeOf(error);
  }
  return "none";
}

describe("parseName()", () => {
  test.each(["a", "ä", "文件", "a b+%&<>'\"", ".hidden", "...", "\u{1f600}", "\ufeffx"])(
    "S1.1 takes %s as it is",
    (name) => {
      expect(parseName(Buffer.from(name))).toBe(name);
    },
  );

  test.each([
    ["empty", Buffer.from(""), "Invalid"],
    ["a dot", Buffer.from("."), "Invalid"],
    ["two dots", Buffer.from(".."), "Invalid"],
    ["a slash in it", Buffer.from("a/b"), "Invalid"],
    ["a NUL in it", Buffer.from("a\0b"), "Invalid"],
    ["not UTF-8", Buffer.from([0x66, 0xff]), "NameNotUtf8"],
    ["a lone surrogate", Buffer.from([0xed, 0xa0, 0x80]), "NameNotUtf8"],
    ["256 bytes", Buffer.from("ä".repeat(128)), "NameTooLong"],
  ])("S1.1 refuses a name that is %s", (_, bytes, code) => {
    expect(codeWhen(() => parseName(bytes))).toBe(code);
  });

  test("S1.1 takes a name of 255 bytes", () => {
    const name = "x".repeat(NAME_SIZE_MAX);
    expect(parseName(Buffer.from(name))).toBe(name);
  });

  test("S1.2 isName() tells what a key in the bucket may be shown as", () => {
    expect(["a", "a.b", "ä"].every(isName)).toBe(true);
    expect(["", ".", "..", "a/b", "a\0", "x".repeat(256)].some(isName)).toBe(false);
  });
});

describe("keys", () => {
  test.each([
    ["a", "", "a"],
    ["a/", "", "a"],
    ["a/b", "a/", "b"],
    ["a/b/", "a/", "b"],
    ["a/b/c", "a/b/", "c"],
  ])("%s is in '%s' and is called %s", (key, parent, name) => {
    expect(parentKey(toKey(key))).toBe(parent);
    expect(nameOf(toKey(key))).toBe(name);
  });

  test("the root is its own parent, and a directory", () => {
    expect(parentKey(ROOT_KEY)).toBe(ROOT_KEY);
    expect([ROOT_KEY, toKey("a/")].every(isDirectoryKey)).toBe(true);
    expect(isDirectoryKey(toKey("a"))).toBe(false);
  });

  test("childKey() and childDirectoryKey() go the other way", () => {
    expect(childKey(toKey("a/"), "b")).toBe("a/b");
    expect(childDirectoryKey(ROOT_KEY, "b")).toBe("b/");
  });

  test("S1.1 assertKeyFits() counts bytes, the mount's prefix included", () => {
    assertKeyFits("p/", toKey("ä".repeat(511)), 1024);
    expect(codeWhen(() => assertKeyFits("p/x", toKey("ä".repeat(511)), 1024))).toBe("NameTooLong");
  });
});
