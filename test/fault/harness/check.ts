// Compares what is in the bucket, once nothing is on its way any more, with what was promised.

import type { Publisher } from "../../../src/publish/mod.ts";
import { sha256 } from "./content.ts";
import { find } from "./drain.ts";
import type { Model, Outcome } from "./model.ts";
import { keysOf, type Operation } from "./operations.ts";

/** What is wrong, in sentences. `visible`: hashes of the objects by key. `kept`: paths that a person has to look at. */
export function checkPromises(
  model: Model,
  visible: ReadonlyMap<string, string>,
  kept: ReadonlySet<string> = new Set(),
): string[] {
  const failures: string[] = [];
  for (const [path, outcomes] of model.outcomes) {
    const found = visible.get(path);
    if (outcomes.some((outcome) => outcome?.sha256 === found) || kept.has(path)) continue;
    failures.push(
      `${path}: expected ${outcomes.map(told).join(" or ")}, found ${found ?? "nothing"}`,
    );
  }
  for (const { from, to, outcomes } of model.moving) {
    const isThere = [visible.get(from), visible.get(to)].some((found) =>
      outcomes.some((outcome) => outcome?.sha256 === found),
    );
    if (!isThere) failures.push(`${from} was lost on its way to ${to}`);
  }
  for (const [key, digest] of visible)
    if (!model.outcomes.has(key) && !model.isForeign(digest))
      failures.push(`${key}: nobody has made it`);
  return failures;
}

/** Both keep all content, and show it to the operator; a close that was refused for good is parked. */
const KEPT_STATES: ReadonlySet<string> = new Set(["interrupted", "parked"]);

/** What an fsync has promised of files that were never closed must be readable by the operator. */
export async function checkSynced(
  model: Model,
  publisher: Publisher,
  visible: ReadonlyMap<string, string>,
): Promise<string[]> {
  const failures: string[] = [];
  for (const [path, bytes] of model.synced) {
    // The close that was under way has come about.
    const [before, ...closed] = model.outcomes.get(path) ?? [];
    const now = visible.get(path);
    if (now !== before?.sha256 && closed.some((outcome) => outcome?.sha256 === now)) continue;
    // One that was refused may be there beside what was being written upon it.
    const kept = publisher
      .pending()
      .filter(({ path: key, state }) => key === path && KEPT_STATES.has(state));
    const found = await Promise.all(
      kept.map(async ({ save }) => find(publisher, save)?.content.read(0, bytes.length)),
    );
    if (!found.some((each) => each !== undefined && sha256(each) === sha256(bytes)))
      failures.push(`${path}: its fsync promised ${bytes.length} bytes that are not kept`);
  }
  model.synced.clear();
  return failures;
}

function told(outcome: Outcome): string {
  return outcome === undefined ? "nothing" : `${outcome.size} bytes ${outcome.sha256}`;
}

/** After a run without faults every file has what the program sees, whoever has written meanwhile. */
export function checkExactly(
  model: Model,
  visible: ReadonlyMap<string, string>,
  operations: readonly Operation[],
): string[] {
  return keysOf(operations).flatMap((path) => {
    const digest = model.digestAt(path);
    return digest === undefined || visible.get(path) === digest
      ? []
      : [`${path}: after the program ran again it is not what was closed last`];
  });
}
