// fio: six ways to write a file, each block with a checksum of its own; then unmounted, mounted with nothing kept on this
// machine, and every block verified from the store.

import { runLimited, say, tail } from "./programs.ts";
import { installDebian, versionOf } from "./tools.ts";
import type { Case, Context, Suite } from "./types.ts";

const TIME_LIMIT_MS = 5 * 60_000;

export const fio: Suite = {
  name: "fio",
  prepare: async (signal) =>
    `${await versionOf(await installDebian("fio", "fio", signal))} (Debian), verify=crc32c after a new mount`,
  run,
};

const COMMON = [
  "--verify=crc32c",
  "--verify_fatal=1",
  "--randrepeat=1",
  "--group_reporting",
  "--fallocate=none",
  // Its own state of the verification is not needed: the pattern tells what must be there.
  "--verify_state_save=0",
];

/** Block sizes from below a page to above a part of 1 MiB; ways through and around the page cache. */
const JOBS: Readonly<Record<string, readonly string[]>> = {
  "sequential, 1 MiB, buffered": ["--rw=write", "--bs=1m", "--size=64m", "--ioengine=psync"],
  "random, 4 KiB, buffered": ["--rw=randwrite", "--bs=4k", "--size=16m", "--ioengine=psync"],
  "random, 128 KiB, O_DIRECT, depth 16": [
    "--rw=randwrite",
    "--bs=128k",
    "--size=64m",
    "--ioengine=libaio",
    "--iodepth=16",
    "--direct=1",
  ],
  "random, 64 KiB, mmap": ["--rw=randwrite", "--bs=64k", "--size=32m", "--ioengine=mmap"],
  "sequential, 3,000 bytes, fsync each 100": [
    "--rw=write",
    "--bs=3000",
    "--size=12000000",
    "--ioengine=psync",
    "--fsync=100",
  ],
  "random, 256 KiB, four files at the same time": [
    "--rw=randwrite",
    "--bs=256k",
    "--size=16m",
    "--ioengine=psync",
    "--numjobs=4",
  ],
};

async function run(context: Context): Promise<Case[]> {
  const names = Object.keys(JOBS).filter(
    (name) => context.only === undefined || name.includes(context.only),
  );
  const failures = new Map<string, string>();
  for (const name of names) await phase(context, name, failures, ["--do_verify=0"]);
  await context.target.remount();
  for (const name of names)
    if (!failures.has(name)) await phase(context, name, failures, ["--verify_only=1"]);
  return names.map((name) => {
    const detail = failures.get(name);
    return detail === undefined ? { name, outcome: "passed" } : { name, outcome: "failed", detail };
  });
}

async function phase(
  { target, workDir, signal }: Context,
  name: string,
  failures: Map<string, string>,
  how: readonly string[],
): Promise<void> {
  const program = await installDebian("fio", "fio", signal);
  const jobName = name.replaceAll(/\W+/g, "-");
  const job = [`--name=${jobName}`, `--directory=${target.dir}`, ...(JOBS[name] ?? [])];
  const { code, hung, output } = await runLimited([program, ...job, ...COMMON, ...how], {
    timeLimitMs: TIME_LIMIT_MS,
    signal,
    unhang: () => target.kill(),
    cwd: workDir,
  });
  const failed = hung || code !== 0 || /verify: bad|err=\s*[1-9]/.test(output);
  say(`fio ${name}, ${how.join(" ")}: ${failed ? `FAILED: ${why(output)}` : "good"}`);
  if (failed) failures.set(name, `${how.join(" ")}: ${hung ? "hangs" : why(output)}`);
  if (!hung) return;
  await target.kill();
  await target.remount();
}

function why(output: string): string {
  const lines = output.split("\n").filter((line) => /^fio:|verify|error|err=/.test(line));
  return lines.length > 0 ? lines.slice(0, 3).join(" | ").slice(0, 400) : tail(output);
}
