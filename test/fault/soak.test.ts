// 200 seeds of the fault harness without a kernel; `npm run soak` runs as many as you like.

import { expect, test } from "vitest";
import { runSeed } from "./harness/run.ts";

const SEEDS = 200;
/** Scenarios wait more than they compute. */
const JOBS = 4;

test(`S3.2 S3.3 S3.4 S4.1 S4.2: ${SEEDS} seeded scenarios of a program, a fault and a moment`, async () => {
  const from = Number(process.env["KODOMOUNT_SEED"] ?? 1);
  const seeds = Array.from({ length: SEEDS }, (_, index) => from + index);
  const failed: string[] = [];
  const work = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const { program, fault, failures } = await runSeed(seed, { real: 0 });
      if (failures.length > 0)
        failed.push(
          `npm run soak -- --seed ${seed} (${program}, ${fault}): ${failures.join("; ")}`,
        );
    }
  };
  await Promise.all(Array.from({ length: JOBS }, work));
  expect(failed).toEqual([]);
}, 600_000);

/** Seeds that have found something, and what. */
const FOUND: readonly (readonly [seed: number, what: string])[] = [
  [862, "what is built upon an object that another client has deleted is parked, and kept"],
  [965, "a HEAD that is refused for its time, without a word, parks nothing"],
  [1088, "a directory whose making cannot be written down does not stay open"],
  [30_106, "a request that is refused for its time after it has failed otherwise is sent again"],
  [30_109, "uploads of what was renamed while the catalog had no room are aborted"],
  [30_329, "a file that is removed while a part of it is sealed begins no upload"],
  [30_683, "the same after the mount was killed"],
  [50_100, "what was fsynced is kept when the close that came after it is refused"],
];

test.each(FOUND)("regression: seed %i: %s", async (seed) => {
  expect((await runSeed(seed, { real: 0 })).failures).toEqual([]);
});
