// Random numbers that a seed decides, by mulberry32: what a scenario draws is the same in each run.

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number;
  /** As `int`, but each order of magnitude is as likely as the other: faults early in a run are as likely as late ones. */
  log(min: number, max: number): number;
  pick<T>(values: readonly [T, ...T[]]): T;
}

export function randomOf(seed: number): Random {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    int: (min, max) => min + Math.floor(next() * (max - min + 1)),
    log: (min, max) => Math.min(max, Math.floor(min * ((max + 1) / min) ** next())),
    pick: (values) => values[Math.floor(next() * values.length)] ?? values[0],
  };
}
