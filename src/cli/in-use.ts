// Whether a process uses a state directory: by its socket, and by the lock on its catalog.

import path from "node:path";
import { codeOf } from "../base/mod.ts";
import { findHolder } from "../catalog/mod.ts";
import { ControlClient } from "../control/mod.ts";

/** The process that uses `stateDir`, or undefined. A process that only hangs counts, too. */
export async function whoUses(stateDir: string): Promise<string | undefined> {
  try {
    return `process ${(await new ControlClient(stateDir).status()).pid}`;
  } catch (error) {
    // `Stale`: nobody listens there.
    if (codeOf(error) !== "Stale") return "a process that does not answer";
  }
  const holder = await findHolder(path.join(stateDir, "catalog"));
  return holder === undefined ? undefined : `process ${holder}`;
}
