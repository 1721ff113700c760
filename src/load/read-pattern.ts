// How a file is being read, and so how far ahead of its reader it pays to fetch. Pure.

export interface ReadPattern {
  /** Where a sequential reader goes on. */
  readonly next: number;
  /** Bytes read in sequence up to there, less what seeks have taken from it. */
  readonly streak: number;
}

export const UNREAD: ReadPattern = { next: 0, streak: 0 };

/** The kernel reads ahead by itself, several requests at once, which come in any order. */
const DISORDER = 2 * 1024 * 1024;
/** A jump, as loaders make them between tensors and to the directory of an archive, does not end what goes on behind it. */
const KEPT_AT_SEEK = 1 / 4;

/** Whether a read at `offset` does not go on from where the reads before it were. */
export function isSeek({ next }: ReadPattern, offset: number): boolean {
  return Math.abs(offset - next) > DISORDER;
}

/** The pattern after a read of `length` bytes at `offset`. */
export function readOn(pattern: ReadPattern, offset: number, length: number): ReadPattern {
  const { next, streak } = pattern;
  const end = offset + length;
  if (isSeek(pattern, offset)) return { next: end, streak: Math.floor(streak * KEPT_AT_SEEK) };
  return end <= next ? pattern : { next: end, streak: streak + (end - next) };
}

/**
 * Bytes that should be on their way behind the reader: as many again as were read in sequence, twice. It grows from
 * nothing to any `limit` in few round trips, and what is fetched in vain is at most twice what was wanted.
 */
export function windowOf(pattern: ReadPattern, limit: number): number {
  return Math.min(limit, 2 * pattern.streak);
}
