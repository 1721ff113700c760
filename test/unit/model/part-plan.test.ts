// Where files are cut: the sizes that are promised, and the ends.

import { describe, expect, test } from "vitest";
import { codeOf } from "../../../src/base/mod.ts";
import {
  DEFAULT_PART_SIZE,
  PROVIDERS,
  partAt,
  partCount,
  partOfNumber,
  partPlan,
  partSizeIn,
  partsOf,
  planSizeMax,
  samePlan,
  toPartNumber,
} from "../../../src/model/mod.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const kodo = partPlan(DEFAULT_PART_SIZE, PROVIDERS.kodo);

function codeWhen(task: () => unknown): string {
  try {
    task();
  } catch (error) {
    return codeOf(error);
  }
  return "none";
}

describe("partPlan()", () => {
  test("begins with 4,000 parts of 8 MiB, then grows, in 10,000 parts at most", () => {
    expect(kodo.tiers[0]).toEqual({ count: 4000, size: 8 * MIB });
    expect(kodo.tiers.map(({ size }) => size / MIB)).toEqual([8, 16, 32, 64, 256, 1024]);
    expect(kodo.tiers.reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
  });

  test("takes files of more than 1.4 TiB at Kodo", () => {
    expect(planSizeMax(kodo)).toBeGreaterThan(1.4 * 1024 * GIB);
  });

  test.each([
    ["too small", 1],
    ["too large", 2 * GIB],
    ["not whole", 1.5 * MIB + 0.5],
    ["no number", Number.NaN],
  ])("refuses a first part that is %s", (_, first) => {
    expect(codeWhen(() => partPlan(first, PROVIDERS.kodo))).toBe("Config");
  });

  test.each(Object.values(PROVIDERS))("$name: no part above its limit", (provider) => {
    const plan = partPlan(Math.max(DEFAULT_PART_SIZE, provider.partSizeMin), provider);
    for (const { size } of plan.tiers) {
      expect(size).toBeGreaterThanOrEqual(provider.partSizeMin);
      expect(size).toBeLessThanOrEqual(provider.partSizeMax);
    }
  });
});

describe("partAt()", () => {
  test.each([
    [0, 1, 0],
    [8 * MIB - 1, 1, 0],
    [8 * MIB, 2, 8 * MIB],
    [4000 * 8 * MIB - 1, 4000, 3999 * 8 * MIB],
    [4000 * 8 * MIB, 4001, 4000 * 8 * MIB],
    [4000 * 8 * MIB + 16 * MIB, 4002, 4000 * 8 * MIB + 16 * MIB],
  ])("the byte at %i is in part %i, which begins at %i", (offset, partNumber, start) => {
    expect(partAt(kodo, offset)).toMatchObject({ partNumber, offset: start });
  });

  test("refuses what is beyond the plan", () => {
    expect(partAt(kodo, planSizeMax(kodo) - 1).partNumber).toBe(10_000);
    expect(codeWhen(() => partAt(kodo, planSizeMax(kodo)))).toBe("TooLarge");
  });
});

describe("parts of a file", () => {
  test("an empty file has none, one byte has one", () => {
    expect(partsOf(kodo, 0)).toEqual([]);
    expect(partsOf(kodo, 1)).toEqual([{ partNumber: 1, offset: 0, size: 1 }]);
  });

  test("a file that ends at a boundary has no empty part", () => {
    expect(partCount(kodo, 16 * MIB)).toBe(2);
    expect(partsOf(kodo, 16 * MIB + 1).map(({ size }) => size)).toEqual([8 * MIB, 8 * MIB, 1]);
  });

  test("partSizeIn() is nothing beyond the end", () => {
    expect(partSizeIn(partOfNumber(kodo, toPartNumber(3)), 16 * MIB)).toBe(0);
  });

  test("partOfNumber() of a number beyond the plan is a mistake of ours", () => {
    expect(codeWhen(() => partOfNumber(kodo, toPartNumber(10_001)))).toBe("Programmer");
  });
});

test("samePlan() compares where files are cut", () => {
  expect(samePlan(kodo, partPlan(8 * MIB, PROVIDERS.kodo))).toBe(true);
  expect(samePlan(kodo, partPlan(4 * MIB, PROVIDERS.kodo))).toBe(false);
});
