// A mount that dies under a case is a failure of that case, not the end of the suite: a new mount goes on with the next.

import { describe } from "../../src/base/mod.ts";
import type { Case, Context } from "./types.ts";

/** Runs a case; what it throws, and a mount that does not answer after it, is its failure. */
export async function surviving(
  { target, signal }: Context,
  name: string,
  task: () => Promise<Case>,
): Promise<Case> {
  let outcome: Case;
  try {
    outcome = await task();
  } catch (error) {
    if (signal.aborted) throw error;
    outcome = { name, outcome: "failed", detail: describe(error) };
  }
  if (await target.isAlive()) return outcome;
  await target.kill();
  await target.remount();
  if (outcome.outcome === "failed") return outcome;
  return { name, outcome: "failed", detail: "the mount does not answer any more" };
}
