// Plays cases: save on a mount and locally, lose all that this machine knows, mount again, check; and what the bucket
// showed and what was asked of it meanwhile.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RequestEntry } from "../../../src/emulator/mod.ts";
import { run, whyNoMounts } from "../../support/mount.ts";
import type { Phase, ProgramCase } from "./case.ts";
import { bytesUpOf, changesOf, countsOf, differences, isRange, pinnedFor } from "./requests.ts";
import { BUCKET, Stage } from "./stage.ts";
import { treeOf } from "./tree.ts";
import { type Seen, sha256Of, tornOf, Watcher } from "./watcher.ts";

/** Names that are certainly temporary: of rsync, and of Rust's tempfile as safetensors uses it. */
const TEMPORARY = /(^|\/)(\.[^/]+\.[A-Za-z0-9]{6}|\.tmp[A-Za-z0-9]{6})$/;
/** Beside contents: what is left of a part that was cut off, never more than noise. */
const RATIO_MAX = 1.02;

/** One test a case. */
export function runCases(group: string, cases: readonly ProgramCase[]): void {
  const why = whyNoMounts();
  if (why !== undefined) console.log(`skipped: programs: ${group}, since ${why}`);
  describe.skipIf(why !== undefined)(group, () => {
    test.for(cases.map((one) => [one.name, one] as const))("%s", async ([, one]) => {
      expect(await missingOf(one.needs ?? []), "missing programs").toEqual([]);
      await using stage = await Stage.open(one);
      await play(one, stage);
    });
  });
}

async function missingOf(programs: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const program of programs) {
    const { code } = await run("sh", ["-c", `command -v ${program}`]);
    if (code !== 0) missing.push(program);
  }
  return missing;
}

async function play(one: ProgramCase, stage: Stage): Promise<void> {
  const watcher = new Watcher(stage.emulator, BUCKET, join(stage.work, "versions"));
  await watcher.start();
  let wrong: string[];
  try {
    wrong = await playPhases(one, stage);
  } finally {
    await watcher.stop();
  }
  wrong.push(...(await wrongInBucket(one, stage, await watcher.stop())));
  if (one.forgets !== undefined) wrong.push(...(await checkAgain(one, stage, "this machine")));
  wrong.push(...(await checkAgain(one, stage, "another machine")));
  expect(wrong).toEqual([]);
}

/** Unmounted when it returns. What was wrong with requests. */
async function playPhases(one: ProgramCase, stage: Stage): Promise<string[]> {
  const first: Phase = { name: "", run: one.save, after: "nothing" };
  const phases = [first, ...(one.later ?? [])];
  const wrong: string[] = [];
  for (const [index, phase] of phases.entries()) {
    if (phase.after === "forget") await stage.mount.forget();
    if (phase.after !== "nothing") await stage.mount.start();
    if (one.compare !== "nothing" || one.check?.includes("$LOCAL") === true)
      await stage.onLocal(phase.run);
    const from = stage.emulator.requests().length;
    await stage.onMount(phase.run);
    // The one or the other: all that was closed is in the bucket then.
    await (phases[index + 1]?.after === "nothing" ? stage.wait() : stage.unmount());
    const ratio = phase === first ? (one.ratio?.max ?? RATIO_MAX) : RATIO_MAX;
    const bytesMax = phase.bytesMax ?? stage.bytesInBucket() * ratio;
    const requests = stage.requestsSince(from);
    wrong.push(...wrongRequests(one, phase, { requests, bytesMax }));
  }
  return wrong;
}

async function wrongInBucket(
  one: ProgramCase,
  stage: Stage,
  seen: readonly Seen[],
): Promise<string[]> {
  const uploads = await stage.emulator.uploads();
  const allowed = { closed: await closedContents(stage.closed), versions: one.versions ?? [] };
  const torn = await tornOf(seen, await stage.objects(), allowed);
  return [
    ...temporaryNames(changesOf(stage.emulator.requests())),
    ...uploads.map(({ key }) => `an upload of ${key} is left`),
    ...torn.map((what) => `torn: ${what}`),
  ];
}

function wrongRequests(
  one: ProgramCase,
  phase: Phase,
  { requests, bytesMax }: { requests: readonly RequestEntry[]; bytesMax: number },
): string[] {
  const name = phase.name === "" ? one.name : `${one.name}: ${phase.name}`;
  const counts = countsOf(requests);
  const pinned = pinnedFor(name, counts);
  if (pinned === undefined)
    return [`${name}: nothing is pinned, and there were ${JSON.stringify(counts)}`];
  const wrong = differences(pinned, counts).map((what) => `${name}: ${what}`);
  const bytes = bytesUpOf(requests);
  if (bytes > bytesMax) wrong.push(`${name}: ${bytes} bytes sent, at most ${Math.floor(bytesMax)}`);
  if (isRange(pinned) && one.timing === undefined) wrong.push(`${name}: a range without 'timing'`);
  return wrong;
}

function temporaryNames(requests: readonly RequestEntry[]): string[] {
  const found = requests.filter(({ key }) => TEMPORARY.test(key));
  return [...new Set(found.map(({ kind, key }) => `a temporary name: ${kind} of ${key}`))];
}

async function closedContents(dir: string): Promise<Set<string>> {
  const names = await readdir(dir);
  return new Set(
    await Promise.all(names.map(async (name) => sha256Of(await readFile(join(dir, name))))),
  );
}

/** After a new mount; looking changes nothing. */
async function checkAgain(
  one: ProgramCase,
  stage: Stage,
  by: "this machine" | "another machine",
): Promise<string[]> {
  if (by === "another machine") await stage.mount.forget();
  await stage.mount.start();
  const from = stage.emulator.requests().length;
  const forgotten = by === "another machine" ? one.forgets?.path : undefined;
  const wrong = await differencesOfTrees(one, stage, forgotten);
  if (one.check !== undefined && by === "another machine") await stage.onMount(one.check);
  await stage.unmount();
  const changes = changesOf(stage.requestsSince(from));
  return [
    ...wrong.map((line) => `by ${by}: ${line}`),
    ...changes.map(({ kind, key }) => `the check has changed the bucket: ${kind} of ${key}`),
  ];
}

/** Lines of what is there (`+`) and of what should be (`-`). */
async function differencesOfTrees(
  { compare, except }: ProgramCase,
  stage: Stage,
  forgotten: RegExp | undefined,
): Promise<string[]> {
  if (compare === "nothing") return [];
  const options = { times: compare === "tree and times", except, forgotten };
  const there = await treeOf(stage.mount.dir, options);
  const wanted = await treeOf(stage.local, options);
  return [
    ...wanted.filter((line) => !there.includes(line)).map((line) => `- ${line}`),
    ...there.filter((line) => !wanted.includes(line)).map((line) => `+ ${line}`),
  ];
}
