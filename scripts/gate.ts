// Runs checks and levels of tests one after the other, and sums them up in one last line:
//   gate.ts all      everything: `npm test`
//   gate.ts ok       the everyday gate: `npm run ok`
//   gate.ts LEVEL    one level, or `checks`: `npm run test:one LEVEL`; `programs` is in no other: `npm run test:programs`
// What a level leaves behind (mounts, processes, temporary files) counts as a failure of it, and is removed.

import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killRunning, succeeds } from "./command.ts";
import { clearLeftovers, type Run, removeTempDir } from "./leftovers.ts";
import { addTallies, isGood, NOTHING, parseTally, sumLine, type Tally } from "./tally.ts";

const CHECKS = {
  build: ["node_modules/.bin/tsc", "-p", "tsconfig.json"],
  format: ["npm", "run", "--silent", "format:check"],
  types: ["node_modules/.bin/tsc", "-p", "scripts/tsconfig.check.json"],
  lint: ["npm", "run", "--silent", "lint"],
  unused: ["npm", "run", "--silent", "unused"],
} satisfies Record<string, [string, ...string[]]>;

const FAST = ["unit", "property", "tidy", "contract", "integration"];
const LEVELS = [...FAST, "fuse", "fault"];
/** Needs programs from elsewhere and many minutes. */
const PROGRAMS = "programs";

/** Long enough for the slowest level on two busy cores, short enough that a hang still ends in a last line. */
const TIME_LIMIT_MS = 18 * 60_000;
const PROGRAMS_TIME_LIMIT_MS = 30 * 60_000;

process.exitCode = await main(process.argv.slice(2));

async function main([what = "", ...rest]: string[]): Promise<number> {
  const plan = planOf(what);
  if (plan === undefined || rest.length > 0) {
    console.error(`Usage: gate.ts all | ok | checks | ${[...LEVELS, PROGRAMS].join(" | ")}`);
    return 2;
  }
  const run = await startRun();
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    killRunning();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  const parts = [
    ...plan.checks.map((name) => () => runCheck(name)),
    ...plan.levels.map((level) => () => runLevel(level, plan, run)),
  ];
  let total = NOTHING;
  try {
    for (const part of parts) if (!stopped) total = addTallies(total, await part());
  } finally {
    await removeTempDir(run);
  }
  if (stopped) total = addTallies(total, { ...NOTHING, failed: ["ended by a signal"] });
  report(total);
  return isGood(total) ? 0 : 1;
}

interface Plan {
  readonly checks: readonly (keyof typeof CHECKS)[];
  readonly levels: readonly string[];
  /** Extra environment: what the everyday gate leaves out. */
  readonly env: NodeJS.ProcessEnv;
}

function planOf(what: string): Plan | undefined {
  const checks = Object.keys(CHECKS) as (keyof typeof CHECKS)[];
  if (what === "all") return { checks, levels: LEVELS, env: {} };
  if (what === "ok") return { checks, levels: FAST, env: { KODOMOUNT_WITHOUT_RGW: "1" } };
  if (what === "checks") return { checks, levels: [], env: {} };
  if (LEVELS.includes(what) || what === PROGRAMS)
    return { checks: ["build"], levels: [what], env: {} };
  return undefined;
}

async function startRun(): Promise<Run> {
  const tempDir = await mkdtemp(join(tmpdir(), "kodomount-"));
  return { tempDir, mark: `KODOMOUNT_RUN=${randomBytes(8).toString("hex")}` };
}

async function runCheck(name: keyof typeof CHECKS): Promise<Tally> {
  console.log(`\n== ${name}`);
  const good = await succeeds(CHECKS[name], { timeLimitMs: TIME_LIMIT_MS });
  return good ? { ...NOTHING, passed: 1 } : { ...NOTHING, failed: [`check: ${name}`] };
}

async function runLevel(level: string, plan: Plan, run: Run): Promise<Tally> {
  console.log(`\n== ${level}`);
  const tallyDir = await mkdtemp(join(tmpdir(), "kodomount-tally-"));
  const tallyFile = join(tallyDir, "tally.json");
  const [markName = "", markValue = ""] = run.mark.split("=");
  try {
    const good = await succeeds(vitest(level), {
      env: {
        ...plan.env,
        TMPDIR: run.tempDir,
        [markName]: markValue,
        KODOMOUNT_TALLY: tallyFile,
        KODOMOUNT_THREADS: "built",
      },
      timeLimitMs: level === PROGRAMS ? PROGRAMS_TIME_LIMIT_MS : TIME_LIMIT_MS,
    });
    const counted = await readTally(level, tallyFile, good);
    const left = await clearLeftovers(run);
    return addTallies(counted, {
      ...NOTHING,
      failed: left.map((what) => `${level}: left behind: ${what}`),
    });
  } finally {
    await rm(tallyDir, { recursive: true, force: true });
  }
}

function vitest(level: string): [string, ...string[]] {
  return [
    "node_modules/.bin/vitest",
    "run",
    "--config=test/vitest.config.ts",
    `--project=${level}`,
    "--passWithNoTests",
    "--reporter=default",
    "--reporter=./scripts/tally-reporter.ts",
  ];
}

/** A level that ends badly without a failing test (a crash, a hang) has failed all the same. */
async function readTally(level: string, file: string, good: boolean): Promise<Tally> {
  let tally: Tally;
  try {
    tally = parseTally(await readFile(file, "utf8"));
  } catch {
    // Never written, since vitest itself died or was killed.
    return { ...NOTHING, failed: [`${level}: vitest ended without a result`] };
  }
  if (good || tally.failed.length > 0) return tally;
  return addTallies(tally, { ...NOTHING, failed: [`${level}: vitest failed`] });
}

function report(total: Tally): void {
  console.log("");
  for (const name of total.skipped) console.log(`skipped: ${name}`);
  for (const name of total.failed) console.log(`failed: ${name}`);
  console.log(sumLine(total));
}
