// Names and keys for any text: what is taken comes back, what is refused is never shown.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeOf } from "../../src/base/mod.ts";
import {
  childDirectoryKey,
  childKey,
  fromMetadata,
  isName,
  nameOf,
  parentKey,
  parseName,
  toKey,
  toMetadata,
} from "../../src/model/mod.ts";
import { check } from "../support/seed.ts";

const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter(isName);
const directories = fc
  .array(names, { maxLength: 4 })
  .map((path) => toKey(path.map((name) => `${name}/`).join("")));

describe("names", () => {
  test("parseName() takes exactly what isName() shows", () => {
    check(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      let parsed: string | undefined;
      try {
        parsed = parseName(Buffer.from(text));
      } catch (error) {
        expect(["Invalid", "NameTooLong"]).toContain(codeOf(error));
      }
      expect(parsed).toBe(isName(text) ? text : undefined);
    });
  });

  test("parseName() of any bytes gives the same bytes back, or refuses", () => {
    check(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        expect(Buffer.from(parseName(bytes))).toEqual(Buffer.from(bytes));
      } catch (error) {
        expect(["Invalid", "NameTooLong", "NameNotUtf8"]).toContain(codeOf(error));
      }
    });
  });

  test("a child's key leads back to its directory and its name", () => {
    check(fc.tuple(directories, names), ([directory, name]) => {
      for (const key of [childKey(directory, name), childDirectoryKey(directory, name)]) {
        expect(parentKey(key)).toBe(directory);
        expect(nameOf(key)).toBe(name);
      }
    });
  });

  test("attributes survive the object's metadata to a microsecond", () => {
    const attributes = fc.record({
      mode: fc.nat(0o177777),
      uid: fc.nat(2 ** 31),
      gid: fc.nat(2 ** 31),
      mtimeMs: fc.nat(2 ** 42).map((tenths) => tenths / 2),
    });
    check(attributes, (before) => {
      const after = fromMetadata(toMetadata(before, "x"));
      expect({ ...after, mtimeMs: 0 }).toEqual({ ...before, mtimeMs: 0 });
      expect(Math.abs((after.mtimeMs ?? 0) - before.mtimeMs)).toBeLessThan(0.001);
    });
  });
});
