// How a file is read decides how far ahead of its reader is fetched.

import { describe, expect, test } from "vitest";
import {
  isSeek,
  type ReadPattern,
  readOn,
  UNREAD,
  windowOf,
} from "../../../src/load/read-pattern.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

function after(...reads: readonly [offset: number, length: number][]): ReadPattern {
  return reads.reduce((pattern, [offset, length]) => readOn(pattern, offset, length), UNREAD);
}

describe("the read pattern", () => {
  test("a sequence lets the window grow, twice as fast as it reads, up to the limit", () => {
    let pattern = UNREAD;
    const windows: number[] = [];
    for (let at = 0; at < 4 * MIB; at += MIB) {
      pattern = readOn(pattern, at, MIB);
      windows.push(windowOf(pattern, 6 * MIB) / MIB);
    }
    expect(windows).toEqual([2, 4, 6, 6]);
  });

  test("reads at random fetch nothing ahead", () => {
    const pattern = after([500 * MIB, 4096], [20 * MIB, 4096], [900 * MIB, 4096]);
    expect(windowOf(pattern, 64 * MIB)).toBe(0);
  });

  test("requests of the kernel that overtake each other are one sequence", () => {
    const pattern = after([0, MIB], [2 * MIB, MIB], [MIB, MIB], [3 * MIB, MIB]);
    expect(pattern).toEqual({ next: 4 * MIB, streak: 4 * MIB });
  });

  test("a jump shrinks the window and does not close it", () => {
    const sequence = after([0, MIB], [MIB, MIB], [2 * MIB, MIB], [3 * MIB, MIB]);
    const jumped = readOn(sequence, 700 * MIB, 256 * KIB);
    expect(jumped).toEqual({ next: 700 * MIB + 256 * KIB, streak: MIB });
    expect([isSeek(sequence, 700 * MIB), isSeek(sequence, 4 * MIB)]).toEqual([true, false]);
  });

  test("bytes that are read again do not count twice", () => {
    expect(after([0, MIB], [0, MIB], [0, MIB])).toEqual({ next: MIB, streak: MIB });
  });
});
