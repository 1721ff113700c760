// pjdfstest: 398 cases of what POSIX says of names, modes, owners, times and errors. It runs as root and becomes others.

import { mkdtemp, writeFile } from "node:fs/promises";
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

async function run({ target, workDir, signal, only }: Context): Promise<Case[]> {
  const program = await installCrate("pjdfstest", VERSION, signal);
  const config = join(workDir, "pjdfstest.toml");
  await writeFile(config, await configuration());
  const other = await mkdtemp("/dev/shm/kodomount-suites-");
  try {
    const args = [
      "-c",
      config,
      "-p",
      target.dir,
      "-s",
      other,
      ...(only === undefined ? [] : [only]),
    ];
    const { output, hung } = await runLimited([program, ...args], {
      timeLimitMs: TIME_LIMIT_MS,
      signal,
      unhang: () => target.kill(),
      // Only the message, not where in the suite it was thrown.
      env: { RUST_BACKTRACE: "0" },
    });
    const cases = parseCases(output);
    return hung
      ? [...cases, { name: "the whole suite", outcome: "failed", detail: "hangs" }]
      : cases;
  } finally {
    await mustExec(["rm", "-rf", "--one-file-system", other]);
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

const OUTCOMES = { ok: "passed", FAILED: "failed", skipped: "skipped" } as const;

/** Reads its report: a line a case, and indented below what it has to say about it. */
export function parseCases(output: string): Case[] {
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
