// ensurePart and judge: what has to be sent, and whose object is at the key.

import { describe, expect, test } from "vitest";
import {
  type Base,
  ensurePart,
  judge,
  type Sealed,
  type Seen,
  toEtag,
  toPartNumber,
  toRev,
  toSha256,
} from "../../../src/model/mod.ts";

const A = toSha256("a".repeat(64));
const B = toSha256("b".repeat(64));
const ETAG = toEtag('"e"');
const PART = toPartNumber(2);
const sealed: Sealed = { kind: "sealed", rev: toRev(1), size: 10, sha256: A, at: "spill" };
const held = (sha256: string, size: number) => ({ sha256, size, etag: ETAG });
const source = (...parts: { sha256: string; size: number }[]) => ({ etag: ETAG, parts });

describe("ensurePart()", () => {
  test("has what the upload holds with this hash and size", () => {
    const everywhere = source(held(A, 10), held(A, 10));
    expect(ensurePart(PART, sealed, held(A, 10), everywhere)).toEqual({ kind: "have" });
  });

  test("copies what the object underneath has in this range, with its ETag", () => {
    const action = ensurePart(PART, sealed, held(B, 10), source(held(B, 10), held(A, 10)));
    expect(action).toEqual({ kind: "copy", etag: ETAG });
  });

  test.each([
    ["nothing is known", undefined, undefined],
    ["the upload holds another hash", held(B, 10), undefined],
    ["the upload holds another size", held(A, 9), undefined],
    ["the hash is at another part of the object", undefined, source(held(A, 10), held(B, 10))],
    ["the object is shorter", undefined, source(held(A, 10))],
    ["the object's part has another size", undefined, source(held(B, 1), held(A, 9))],
  ])("sends when %s", (_, upload, object) => {
    expect(ensurePart(PART, sealed, upload, object)).toEqual({ kind: "send" });
  });
});

describe("judge()", () => {
  const expected = { tokens: ["mine", "carried"], size: 10 };
  const object = (etag: string, size: number, token?: string): Seen => ({
    kind: "object",
    etag: toEtag(etag),
    size,
    token,
  });
  const nothing: Base = { kind: "absent" };
  const old: Base = { kind: "object", etag: toEtag("old"), size: 3 };

  const absent: Seen = { kind: "absent" };
  const known = toEtag("known");

  test.each([
    { when: "nothing is there", seen: absent, base: old, verdict: "publish" },
    { when: "our token and size", seen: object("new", 10, "mine"), base: old, verdict: "ours" },
    { when: "the upload's token", seen: object("new", 10, "carried"), base: old, verdict: "ours" },
    { when: "what we replace", seen: object("old", 3), base: old, verdict: "publish" },
    {
      when: "what we committed last",
      seen: object("known", 5, "x"),
      base: old,
      verdict: "publish",
    },
    { when: "another object", seen: object("foreign", 10), base: old, verdict: "conflict" },
    { when: "one where none was", seen: object("x", 3), base: nothing, verdict: "conflict" },
    {
      when: "our token, another size",
      seen: object("x", 9, "mine"),
      base: old,
      verdict: "conflict",
    },
    { when: "another token, our size", seen: object("x", 10, "y"), base: old, verdict: "conflict" },
  ])("S3.3 $when: $verdict", ({ seen, base, verdict }) => {
    expect(judge(seen, expected, base, known)).toBe(verdict);
  });

  test("S3.3 without a commit of ours only the base may be replaced", () => {
    expect(judge(object("known", 5), expected, old, undefined)).toBe("conflict");
  });
});
