// What HEAD tells of archived objects.

import { describe, expect, test } from "vitest";
import { parseArchive } from "../../../src/model/mod.ts";

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
