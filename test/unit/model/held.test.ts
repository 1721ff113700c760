// Which names are certainly temporary, and what they say of the name that will follow.

import { describe, expect, test } from "vitest";
import { HeldNames, toKey } from "../../../src/model/mod.ts";

const find = (key: string, options: { patterns?: string[]; madePrivate?: boolean } = {}) =>
  new HeldNames(options.patterns).find(toKey(key), options.madePrivate ?? false);

describe("HeldNames.find()", () => {
  test.each([
    ["ckpt/.model.pt.a1B2c3", "ckpt/model.pt"],
    ["..bashrc.a1B2c3", ".bashrc"],
    [".a b.Zz9Zz9", "a b"],
  ])("rsync's %s will be %s", (key, final) => {
    expect(find(key, { madePrivate: true })).toEqual({ final });
  });

  test("the crate tempfile's name does not tell what it will be", () => {
    expect(find("d/.tmpAb12cD", { madePrivate: true })).toEqual({});
  });

  test.each([".model.pt.a1B2c3", ".tmpAb12cD", ".bashrc.backup"])(
    "%s is an ordinary name when it was not made as mkstemp makes it",
    (key) => {
      expect(find(key)).toBeUndefined();
    },
  );

  test.each(["model.pt", ".model.pt.a1B2c", ".model.pt.a1B2c34", ".tmpAb12c", "x.tmp", ".a1B2c3"])(
    "%s is an ordinary name",
    (key) => {
      expect(find(key, { madePrivate: true })).toBeUndefined();
    },
  );

  test.each([
    [`blobs/${"0a".repeat(20)}.0123abcd.incomplete`, `blobs/${"0a".repeat(20)}`],
    [`blobs/${"0a".repeat(32)}.0123abcd.incomplete`, `blobs/${"0a".repeat(32)}`],
  ])("huggingface_hub's %s will be %s", (key, final) => {
    expect(find(key)).toEqual({ final });
  });

  test.each([
    `.cache/huggingface/download/${"aB_-".repeat(6)}aB0=.${"0a".repeat(20)}.0123abcd.incomplete`,
    "data/c/0/0.00112233445546678899aabbccddeeff.partial",
    "data/zarr.00112233445546678899aabbccddeeff.partial",
  ])("%s is held without a guess", (key) => {
    expect(find(key)).toEqual({});
  });

  test.each([
    "report.20261124.incomplete",
    `${"0a".repeat(20)}.incomplete`,
    "film.mkv.partial",
    "film.d41d8cd98f00b204e9800998ecf8427e.partial",
    "x.00112233445546678899aabbccddeeff.partial/y",
    `${"0a".repeat(20)}.0123abcd.incomplete/y`,
    `${"0a".repeat(20)}.0123abcd.incomplete/`,
  ])("%s is an ordinary name: somebody may mean it", (key) => {
    expect(find(key)).toBeUndefined();
  });

  test("rsync --delay-updates: what is in its directory will be above it", () => {
    expect(find("d/.~tmp~/model.pt")).toEqual({ final: "d/model.pt" });
    expect(find("d/.~tmp~/")).toEqual({});
  });

  test("a temporary name above does not count unless its rule is for directories too", () => {
    expect(find("d/.tmpAb12cD/x", { madePrivate: true })).toBeUndefined();
  });

  test.each([
    ["*.tmp", "a/x.tmp", "a/x"],
    ["*.orbax-checkpoint-tmp", "5.orbax-checkpoint-tmp/d/0", "5/d/0"],
    ["*.orbax-checkpoint-tmp", "5.orbax-checkpoint-tmp/d.orbax-checkpoint-tmp/0", "5/d/0"],
    ["*.p(1)", "x.p(1)", "x"],
  ])("--hold '%s': %s will be %s", (pattern, key, final) => {
    expect(find(key, { patterns: [pattern] })).toEqual({ final });
  });

  test.each([
    ["tmp-*", "tmp-5/model"],
    ["*.part?", "x.part1"],
    ["*-tmp-*", "a-tmp-b"],
    ["exact", "d/exact"],
  ])("--hold '%s' holds %s without a guess", (pattern, key) => {
    expect(find(key, { patterns: [pattern] })).toEqual({});
  });

  test("a pattern is of the whole name", () => {
    expect(find("x.tmpfile", { patterns: ["*.tmp"] })).toBeUndefined();
    expect(find(".tmp", { patterns: ["*.tmp"] })).toBeUndefined();
  });

  test.each(["", "*", "**", "?", "a/b", ".."])("refuses %j as a pattern", (pattern) => {
    expect(() => new HeldNames([pattern])).toThrow(/'--hold' must be a pattern for names/);
  });
});
