// How the pending files of a state directory are cut into parts. Their spill files are named by part numbers, which mean
// other bytes under another plan: it must not change while anything is pending.

import { open, readFile, rename } from "node:fs/promises";
import path from "node:path";
import { errnoOf, KodomountError, toError } from "../base/mod.ts";
import { formatSize } from "../config/mod.ts";
import type { PartPlan } from "../model/mod.ts";

/**
 * Keeps `plan` for the next start.
 * @param countPending how many files of earlier mounts are pending; asked only when the plan is another one.
 * @throws `Config` when files are pending that are cut another way.
 */
export async function keepPlan(
  stateDir: string,
  plan: PartPlan,
  countPending: () => Promise<number>,
): Promise<void> {
  const file = path.join(stateDir, "plan.json");
  const text = JSON.stringify(plan.tiers);
  const before = await readText(file);
  if (before === text) return;
  const pending = before === undefined ? 0 : await countPending();
  if (pending > 0)
    throw new KodomountError(
      "Config",
      `Cannot use parts of ${firstSize(text)}: ${pending} pending files in ${stateDir} are cut into parts of ${firstSize(before)}; mount with the '--part-size' and '--provider' of before, and unmount, before that is changed`,
    );
  await writeText(file, text);
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toError(error);
  }
}

/** The old or the new text is there, also after a loss of power. */
async function writeText(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const directory = await open(path.dirname(file), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function firstSize(text: string | undefined): string {
  const [, size] = /"size":(\d+)/.exec(text ?? "") ?? [];
  return size === undefined ? "another size" : formatSize(Number(size));
}
