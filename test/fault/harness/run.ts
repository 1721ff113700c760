// One seed: which scenario it is, and on what it runs.

import { type Log, silentLog, systemClock } from "../../../src/base/mod.ts";
import { runInside } from "./inside.ts";
import { randomOf } from "./random.ts";
import { runReal } from "./real.ts";
import type { Result } from "./result.ts";
import { nameOf, scenarioOf } from "./scenario.ts";

/** A scenario that takes longer hangs. */
const TIME_LIMIT_MS = 240_000;
/** So that the same seeds are real for the same share. */
const REAL = 0x7ea1;

export interface RunOptions {
  /** Share of the seeds that run on a real mount. */
  readonly real: number;
  readonly log?: Log;
}

/** Never rejects. */
export async function runSeed(seed: number, options: RunOptions): Promise<Result> {
  const scenario = scenarioOf(seed);
  const { program, fault } = scenario;
  const limit = new AbortController();
  const hangs = systemClock.sleep(TIME_LIMIT_MS, limit.signal).then(
    (): Result => ({
      seed,
      program,
      fault: nameOf(fault),
      failures: ["it hangs"],
      ms: TIME_LIMIT_MS,
    }),
    () => new Promise<never>(() => {}),
  );
  const isReal = randomOf(seed ^ REAL).next() < options.real;
  const run = isReal ? runReal(scenario) : runInside(scenario, options.log ?? silentLog);
  const result = await Promise.race([run, hangs]);
  limit.abort();
  return result;
}
