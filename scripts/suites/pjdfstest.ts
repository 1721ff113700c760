// pjdfstest: 398 cases of what POSIX says of names, modes, owners, times and errors. It runs as root and becomes others.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustExec } from "../stage.ts";
import { runLimited } from "./programs.ts";
import { installCrate } from "./tools.ts";
import type { Case, Context, Suite } from "./types.ts";

const VERSION = "0.2.2";
/** It takes half a minute on a disk. */
const TIME_LIMIT_MS = 15 * 60_000;
/** Users that Debian has always: it becomes each, with its own group. */
const USERS = ["nobody", "daemon"];

export const pjdfstest: Suite = {
  name: "pjdfstest",
  prepare: async (signal) => {
    await installCrate("pjdfstest", VERSION, signal);
    return `pjdfstest ${VERSION} (crate)`;
  },
  run,
};

async function run(context: Context): Promise<Case[]> {
  const { target, workDir } = context;
  const config = join(workDir, "pjdfstest.toml");
  await writeFile(config, await configuration());
  const names = await allNames(context, config);
  const cases: Case[] = [];
  // A mount that dies under a case takes only this case with it: a new one goes on with the next.
  for (let left = names; left.length > 0; ) {
    const done = await runSome(context, { dir: target.dir, config, names: left });
    cases.push(...done);
    const [victim, ...rest] = left.filter((name) => !done.some((each) => each.name === name));
    if (victim === undefined) break;
    cases.push({ name: victim, outcome: "failed", detail: "the mount hangs or died under it" });
    await target.kill();
    await target.remount();
    left = rest;
  }
  return cases;
}

/** pjdfstest has no list of its cases, so that it is run once on the disk, in some seconds. */
async function allNames(context: Context, config: string): Promise<string[]> {
  const dir = join(context.workDir, "pjdfstest");
  await mkdir(dir);
  const done = await runSome(context, { dir, config, names: [] });
  const wanted = done.filter(
    ({ name }) => context.only === undefined || name.includes(context.only),
  );
  return wanted.map(({ name }) => name);
}

/** Runs cases by their names, all if there is none, and gives what it has said of them. */
async function runSome(
  { target, signal }: Context,
  { dir, config, names }: { dir: string; config: string; names: readonly string[] },
): Promise<Case[]> {
  const program = await installCrate("pjdfstest", VERSION, signal);
  const other = await mkdtemp("/dev/shm/kodomount-suites-");
  try {
    const { output } = await runLimited(
      [program, "-c", config, "-p", dir, "-s", other, "-e", ...names.map(fullName)],
      {
        timeLimitMs: TIME_LIMIT_MS,
        signal,
        unhang: () => target.kill(),
        // Only the message, not where in the suite it was thrown.
        env: { RUST_BACKTRACE: "0" },
      },
    );
    return parseCases(output);
  } finally {
    await rm(other, { recursive: true, force: true });
  }
}

async function configuration(): Promise<string> {
  const entries: string[] = [];
  for (const user of USERS) entries.push(`["${user}", "${await mustExec(["id", "-gn", user])}"]`);
  return [
    "[features]",
    "posix_fallocate = {}",
    "rename_ctime = {}",
    "utime_now = {}",
    "utimensat = {}",
    "[settings]",
    // More than a tick of the kernel's clock, which is what timestamps are made of.
    "naptime = 0.02",
    "allow_remount = false",
    "[dummy_auth]",
    `entries = [${entries.join(", ")}]`,
    "",
  ].join("\n");
}

/** How it wants cases to be named on its command line, other than it shows them. */
function fullName(name: string): string {
  return `pjdfstest::tests::${name}`;
}

const OUTCOMES = { ok: "passed", FAILED: "failed", skipped: "skipped" } as const;

/** Reads its report: a line a case, and indented below what it has to say about it. */
function parseCases(output: string): Case[] {
  const cases: Case[] = [];
  let details: string[] = [];
  const flush = (): void => {
    const last = cases.at(-1);
    if (last !== undefined && details.length > 0)
      cases[cases.length - 1] = { ...last, detail: details.join(" ").slice(0, 300) };
    details = [];
  };
  for (const line of output.replace(/\x1b\[[0-9;]*m/g, "").split("\n")) {
    const [, name, word] = /^(\S+) +(ok|FAILED|skipped)$/.exec(line) ?? [];
    if (name !== undefined && word !== undefined) {
      flush();
      cases.push({ name, outcome: OUTCOMES[word as keyof typeof OUTCOMES] });
    } else if (line.startsWith("\t")) details.push(line.trim());
  }
  flush();
  return cases;
}
