// A state directory's part plan changes only while nothing is pending in it.

import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepPlan } from "../../../src/cli/kept-plan.ts";
import { type PartPlan, PROVIDERS, partPlan } from "../../../src/model/mod.ts";

const MIB = 1024 ** 2;

let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(path.join(os.tmpdir(), "kodomount-plan-"));
});
afterEach(async () => {
  await rm(stateDir, { recursive: true });
});

function plan(size: number): PartPlan {
  return partPlan(size, PROVIDERS.kodo);
}

function keep(size: number, pending: number): Promise<void> {
  return keepPlan(stateDir, plan(size), async () => pending);
}

describe("keepPlan", () => {
  it("takes the first plan, and the same again whatever is pending", async () => {
    await keep(8 * MIB, 0);
    await keep(8 * MIB, 3);
  });

  it("refuses another one while files are pending, and goes on refusing", async () => {
    await keep(8 * MIB, 0);
    for (let start = 0; start < 2; start += 1)
      await expect(keep(MIB, 3)).rejects.toMatchObject({
        code: "Config",
        message: `Cannot use parts of 1.0 MiB: 3 pending files in ${stateDir} are cut into parts of 8.0 MiB; mount with the '--part-size' and '--provider' of before, and unmount, before that is changed`,
      });
    await keep(8 * MIB, 3);
  });

  it("takes another one when nothing is pending", async () => {
    await keep(8 * MIB, 0);
    await keep(MIB, 0);
    await expect(keep(8 * MIB, 1)).rejects.toThrow("are cut into parts of 1.0 MiB");
  });
});
