// Memory for pieces of files, and limits on answers: what is bounded, and what is remembered.

import { describe, expect, test } from "vitest";
import { Pieces } from "../../../src/store/pieces.ts";
import { ReplyTimes } from "../../../src/store/reply-times.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("Pieces", () => {
  test("are large for few requests, and small for many: 256 take less than 48 MiB", () => {
    const pieces = new Pieces();
    const lent = Array.from({ length: 256 }, () => pieces.takeTwo());
    expect(lent[0]?.map(({ length }) => length)).toEqual([512 * KIB, 512 * KIB]);
    expect(lent[255]?.map(({ length }) => length)).toEqual([64 * KIB, 64 * KIB]);
    const sum = lent.flat().reduce((bytes, { length }) => bytes + length, 0);
    expect(sum).toBeLessThanOrEqual(64 * MIB);
    for (const two of lent) pieces.give(...two);
    expect(pieces.takeTwo()[0].length).toBe(512 * KIB);
  });

  test("are used again, but for those that may still be sent from", () => {
    const pieces = new Pieces();
    const first = pieces.takeTwo();
    pieces.give(...first);
    expect(new Set(pieces.takeTwo())).toEqual(new Set(first));
    pieces.lose(2);
    expect(pieces.takeTwo()).not.toContain(first[0]);
  });
});

describe("ReplyTimes", () => {
  test("a store that was slow lately is waited for four times as long, at most a minute", () => {
    const replies = new ReplyTimes();
    expect(replies.limitMs).toBe(3000);
    replies.took(2000);
    expect(replies.limitMs).toBe(8000);
    replies.took(40_000);
    expect(replies.limitMs).toBe(60_000);
    for (let count = 0; count < 100; count += 1) replies.took(0);
    expect(replies.limitMs).toBe(3000);
  });

  test("the limit grows while answers do not come, once for all that were late together", () => {
    const replies = new ReplyTimes();
    const { limitMs } = replies;
    for (let count = 0; count < 64; count += 1) replies.missed(limitMs);
    expect(replies.limitMs).toBe(6000);
    for (let count = 0; count < 10; count += 1) replies.missed(replies.limitMs);
    expect(replies.limitMs).toBe(60_000);
    replies.took(1);
    expect(replies.limitMs).toBe(3000);
  });
});
