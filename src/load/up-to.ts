// Bounds of caches that are mostly empty.

/** Options for at most `count` entries that, unlike the library's `max`, take no memory before there are as many. */
export function upTo(count: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: count, sizeCalculation: () => 1 };
}
