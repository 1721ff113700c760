// Random tests by one way: KODOMOUNT_SEED=N repeats a run, and a failure prints the N to give.

import fc from "fast-check";

/** What fast-check is told: nothing, unless a run is to be repeated. */
function seeded(): { seed?: number } {
  const seed = process.env["KODOMOUNT_SEED"];
  return seed === undefined || seed === "" ? {} : { seed: Number(seed) };
}

/** Runs `property` on values of `values`; it throws where it does not hold. */
export function check<T>(values: fc.Arbitrary<T>, property: (value: T) => void): void {
  try {
    fc.assert(fc.property(values, property), seeded());
  } catch (error) {
    const seed = /seed: (-?\d+)/.exec(String(error))?.[1];
    if (seed !== undefined) console.log(`repeat with KODOMOUNT_SEED=${seed}`);
    throw error;
  }
}
