// Where a file is cut. A plan belongs to the mount, not to the file, so that the boundaries of any two saves of a key
// match and their parts can be compared. Small parts first: a part must not take long on a weak link.

import { invariant, KodomountError } from "../base/mod.ts";
import { type PartNumber, toPartNumber } from "./ids.ts";

const MIB = 1024 * 1024;

/** A run of equal parts. */
export interface Tier {
  readonly count: number;
  /** Bytes. */
  readonly size: number;
}

/** INVARIANT: sizes are whole, do not shrink, and the counts add up to at most 10,000 (S3's limit). */
export interface PartPlan {
  readonly tiers: readonly Tier[];
}

export interface Part {
  readonly partNumber: PartNumber;
  /** Of its first byte within the file. */
  readonly offset: number;
  /** Bytes that it can hold; the last part of a file may hold less. */
  readonly size: number;
}

/** 1.5 TiB with the default first size: more than any checkpoint, in 10,000 parts. */
const SHAPE: readonly { count: number; factor: number }[] = [
  { count: 4000, factor: 1 },
  { count: 1000, factor: 2 },
  { count: 1000, factor: 4 },
  { count: 1500, factor: 8 },
  { count: 1500, factor: 32 },
  { count: 1000, factor: 128 },
];

export const DEFAULT_PART_SIZE: number = 8 * MIB;

/**
 * @param first bytes of the first parts.
 * @param limits of the store, bytes.
 * @throws `Config` when the store cannot take parts of that size.
 */
export function partPlan(
  first: number,
  limits: { partSizeMin: number; partSizeMax: number },
): PartPlan {
  if (!Number.isSafeInteger(first) || first < limits.partSizeMin || first > limits.partSizeMax)
    throw new KodomountError(
      "Config",
      `Cannot use '--part-size' ${first}: it must be from ${limits.partSizeMin} to ${limits.partSizeMax} bytes at this store`,
    );
  return {
    tiers: SHAPE.map(({ count, factor }) => ({
      count,
      size: Math.min(first * factor, limits.partSizeMax),
    })),
  };
}

/** Bytes that a file may have at most. */
export function planSizeMax(plan: PartPlan): number {
  return plan.tiers.reduce((sum, tier) => sum + tier.count * tier.size, 0);
}

/** The part that holds the byte at `offset`. @throws `TooLarge` beyond the plan. */
export function partAt(plan: PartPlan, offset: number): Part {
  let start = 0;
  let before = 0;
  for (const { count, size } of plan.tiers) {
    const within = Math.floor((offset - start) / size);
    if (within < count)
      return { partNumber: toPartNumber(before + within + 1), offset: start + within * size, size };
    start += count * size;
    before += count;
  }
  throw new KodomountError(
    "TooLarge",
    `A file can have at most ${start} bytes here: see '--part-size'`,
  );
}

/** The part of that number. */
export function partOfNumber(plan: PartPlan, partNumber: PartNumber): Part {
  let start = 0;
  let before = 0;
  for (const { count, size } of plan.tiers) {
    const within = partNumber - 1 - before;
    if (within < count) return { partNumber, offset: start + within * size, size };
    start += count * size;
    before += count;
  }
  invariant(false, `part ${partNumber} is within the plan`);
}

/** How many parts a file of `size` bytes has; an empty one has none. */
export function partCount(plan: PartPlan, size: number): number {
  return size === 0 ? 0 : partAt(plan, size - 1).partNumber;
}

/** Bytes of that part in a file of `fileSize` bytes: less than the plan's in the last part, 0 beyond it. */
export function partSizeIn(part: Part, fileSize: number): number {
  return Math.max(0, Math.min(part.size, fileSize - part.offset));
}

/** The parts of a file of `fileSize` bytes, cut to it. */
export function partsOf(plan: PartPlan, fileSize: number): Part[] {
  return Array.from({ length: partCount(plan, fileSize) }, (_, index) => {
    const part = partOfNumber(plan, toPartNumber(index + 1));
    return { ...part, size: partSizeIn(part, fileSize) };
  });
}

/** Two plans that cut a file at the same places. */
export function samePlan(a: PartPlan, b: PartPlan): boolean {
  return JSON.stringify(a.tiers) === JSON.stringify(b.tiers);
}
