// What HEAD tells of archived objects.

import { describe, expect, test } from "vitest";
import { parseArchive, StorageClasses, toKey } from "../../../src/model/mod.ts";

const UNTIL = "Fri, 21 Dec 2012 00:00:00 GMT";

describe("parseArchive()", () => {
  test.each([
    [undefined, undefined, undefined],
    ["STANDARD", undefined, undefined],
    ["GLACIER_IR", undefined, undefined],
    ["GLACIER", undefined, { state: "archived" }],
    ["DEEP_ARCHIVE", "", { state: "archived" }],
    ["GLACIER", 'ongoing-request="true"', { state: "restoring" }],
    [
      "GLACIER",
      `ongoing-request="false", expiry-date="${UNTIL}"`,
      { state: "restored", untilMs: Date.parse(UNTIL) },
    ],
    ["GLACIER", 'ongoing-request="false"', { state: "restored", untilMs: undefined }],
    ["GLACIER", "somebody else's words", { state: "archived" }],
  ])("S7.21 of %j with x-amz-restore %j is %j", (storageClass, restore, archive) => {
    expect(parseArchive(storageClass, restore)).toEqual(archive);
  });
});

describe("StorageClasses", () => {
  const classes = new StorageClasses([
    { storageClass: "LINE" },
    { pattern: "*.ckpt", storageClass: "GLACIER" },
    { pattern: "old-?", storageClass: "DEEP_ARCHIVE" },
  ]);

  test.each([
    ["a", "LINE"],
    ["d/a.ckpt", "GLACIER"],
    ["a.ckpt.tmp", "LINE"],
    ["old-1/d/a.ckpt", "GLACIER"],
    ["d/old-1/a", "DEEP_ARCHIVE"],
    ["old-10/a", "LINE"],
  ])("S7.24 %s is %s: the first rule that fits a name of its path", (key, storageClass) => {
    expect(classes.of(toKey(key))).toBe(storageClass);
  });

  test("S7.24 without a rule it is the bucket's usual one", () => {
    expect(new StorageClasses().of(toKey("a"))).toBeUndefined();
  });
});
