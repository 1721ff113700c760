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
import { sha256Of, tornOf, Watcher } from "./watcher.ts";

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
  const wrong: string[] = [];
  const watcher = new Watcher(stage.emulator, BUCKET, join(stage.work, "versions"));
  await watcher.start();
  const ratio = one.ratio?.max ?? RATIO_MAX;
  const first: Phase = { name: "", run: one.save, after: "nothing" };
  try {
    for (const phase of [first, ...(one.then ?? [])])
      wrong.push(
        ...(await playPhase(one, phase, { stage, ratio: phase === first ? ratio : RATIO_MAX })),
      );
    await stage.unmount();
  } finally {
    await watcher.stop().catch(() => []);
  }
  const seen = await watcher.stop();
  wrong.push(...temporaryNames(changesOf(stage.emulator.requests())));
  for (const { key } of await stage.emulator.uploads()) wrong.push(`an upload of ${key} is left`);
  const allowed = { closed: await closedContents(stage.closed), versions: one.versions ?? [] };
  const torn = await tornOf(seen, await stage.objects(), allowed);
  wrong.push(...torn.map((what) => `torn: ${what}`));
  wrong.push(...(await checkAgain(one, stage)));
  expect(wrong).toEqual([]);
}

/** What was wrong with its requests. */
async function playPhase(
  one: ProgramCase,
  phase: Phase,
  { stage, ratio }: { stage: Stage; ratio: number },
): Promise<string[]> {
  if (phase.after !== "nothing") {
    await stage.unmount();
    if (phase.after === "forget") await stage.mount.forget();
    await stage.mount.start();
  }
  if (one.compare !== "nothing" || one.check?.includes("$LOCAL") === true)
    await stage.onLocal(phase.run);
  const from = stage.emulator.requests().length;
  await stage.onMount(phase.run);
  await stage.wait();
  const requests = stage.requestsSince(from);
  const bytesMax = phase.bytesMax ?? stage.bytesInBucket() * ratio;
  return wrongRequests(one, phase, { requests, bytesMax });
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
  return found.map(({ kind, key }) => `a temporary name: ${kind} of ${key}`);
}

async function closedContents(dir: string): Promise<Set<string>> {
  const names = await readdir(dir);
  return new Set(
    await Promise.all(names.map(async (name) => sha256Of(await readFile(join(dir, name))))),
  );
}

/** On a machine that knows nothing; looking changes nothing. */
async function checkAgain(one: ProgramCase, stage: Stage): Promise<string[]> {
  await stage.mount.forget();
  await stage.mount.start();
  const from = stage.emulator.requests().length;
  if (one.compare !== "nothing") {
    const options = { times: one.compare === "tree and times", except: one.except };
    expect(await treeOf(stage.mount.dir, options)).toEqual(await treeOf(stage.local, options));
  }
  if (one.check !== undefined) await stage.onMount(one.check);
  await stage.unmount();
  const changes = changesOf(stage.requestsSince(from));
  return changes.map(({ kind, key }) => `the check has changed the bucket: ${kind} of ${key}`);
}
