// Any plan cuts any file without gap and overlap, at places that do not depend on the file's size.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type PartPlan,
  PROVIDERS,
  partAt,
  partCount,
  partOfNumber,
  partPlan,
  partsOf,
  planSizeMax,
  toPartNumber,
} from "../../src/model/mod.ts";
import { check } from "../support/seed.ts";

const MIB = 1024 * 1024;

const plans: fc.Arbitrary<PartPlan> = fc
  .tuple(
    fc.constantFrom(PROVIDERS.kodo, PROVIDERS.aws, PROVIDERS.generic),
    fc.integer({ min: 0, max: 64 * MIB }),
  )
  .map(([provider, extra]) => partPlan(provider.partSizeMin + extra, provider));

/** A plan and an offset in it; the ends of tiers more often than chance would have it. */
const planAndOffset = plans.chain((plan) => {
  const max = planSizeMax(plan) - 1;
  let end = 0;
  const edges = plan.tiers.flatMap(({ count, size }) => {
    end += count * size;
    return [end - 1, end].filter((edge) => edge <= max);
  });
  const anywhere = fc.maxSafeInteger().map((n) => Math.abs(n) % (max + 1));
  return fc.tuple(fc.constant(plan), fc.oneof(anywhere, fc.constantFrom(0, ...edges)));
});

describe("part plan", () => {
  test("partAt() gives the part that holds the byte, and partOfNumber() the same one", () => {
    check(planAndOffset, ([plan, offset]) => {
      const part = partAt(plan, offset);
      expect(part.offset).toBeLessThanOrEqual(offset);
      expect(part.offset + part.size).toBeGreaterThan(offset);
      expect(partOfNumber(plan, part.partNumber)).toEqual(part);
    });
  });

  test("neighbours touch, and sizes never shrink", () => {
    check(fc.tuple(plans, fc.integer({ min: 1, max: 9_999 })), ([plan, number]) => {
      const part = partOfNumber(plan, toPartNumber(number));
      const next = partOfNumber(plan, toPartNumber(number + 1));
      expect(next.offset).toBe(part.offset + part.size);
      expect(next.size).toBeGreaterThanOrEqual(part.size);
    });
  });

  test("partsOf() covers the file exactly", () => {
    const files = fc.tuple(plans, fc.integer({ min: 0, max: 256 * MIB }));
    check(files, ([plan, fileSize]) => {
      const parts = partsOf(plan, fileSize);
      expect(parts).toHaveLength(partCount(plan, fileSize));
      let at = 0;
      for (const part of parts) {
        expect(part.offset).toBe(at);
        expect(part.size).toBeGreaterThan(0);
        at += part.size;
      }
      expect(at).toBe(fileSize);
    });
  });

  test("a longer file is cut at the same places", () => {
    const sizes = fc.integer({ min: 0, max: 128 * MIB });
    check(fc.tuple(plans, sizes, sizes), ([plan, size, more]) => {
      const short = partsOf(plan, size).slice(0, -1);
      expect(partsOf(plan, size + more).slice(0, short.length)).toEqual(short);
    });
  });
});
