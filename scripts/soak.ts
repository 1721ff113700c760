// `npm run soak -- --seeds 10000`: many seeded scenarios of test/fault/harness in a few processes, with a summary.
//   --seeds N    how many (1000)       --from N   the first (1)
//   --seed N     only this one, with the log of the product
//   --real SHARE of them on real mounts with real programs, 0 to 1 (0.02; 0 where mounts are not allowed)
//   --workers N  processes (as many as cores)

import { execFileSync, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Background, groupBy, type Log, silentLog, systemClock } from "../src/base/mod.ts";
import type { Result } from "../test/fault/harness/result.ts";
import { runSeed } from "../test/fault/harness/run.ts";

/** Scenarios wait more than they compute. */
const JOBS = 4;
const PROGRESS_COUNT = 100;

const options = readOptions();
if (process.send !== undefined) await work();
else if (options.seed !== undefined) await runOne(options.seed);
else await runAll();

interface Options {
  readonly from: number;
  readonly seeds: number;
  readonly seed: number | undefined;
  readonly real: number;
  readonly workers: number;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
      real: { type: "string", default: "0.02" },
      workers: { type: "string", default: String(availableParallelism()) },
    },
  });
  return {
    seeds: number("seeds", values.seeds, 1),
    from: number("from", values.from, 0),
    seed: values.seed === undefined ? undefined : number("seed", values.seed, 0),
    real: number("real", values.real, 0),
    workers: number("workers", values.workers, 1),
  };
}

function number(name: string, text: string, min: number): number {
  const value = Number(text);
  if (text !== "" && value >= min && Number.isFinite(value)) return value;
  console.error(`Cannot use '--${name}' ${text}: it must be a number from ${min}`);
  process.exit(2);
}

/** A process that runs what it is told, until it is told nothing more. */
async function work(): Promise<void> {
  const background = new Background(silentLog);
  process.on("message", (seed: number) => {
    background.run(`seed ${seed}`, async () => {
      process.send?.(await runSeed(seed, { real: options.real }));
    });
  });
  await new Promise((resolve) => process.once("disconnect", resolve));
  process.exit(0);
}

async function runOne(seed: number): Promise<void> {
  const line =
    (level: string) =>
    (fields: object, message: string): void =>
      console.log(level, message, JSON.stringify({ ...fields, err: undefined }));
  const log: Log = {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
  };
  const result = await runSeed(seed, { real: options.real, log });
  console.log(JSON.stringify(result, undefined, 2));
  process.exit(result.failures.length === 0 ? 0 : 1);
}

async function runAll(): Promise<void> {
  const start = systemClock.monotonic();
  const results: Result[] = [];
  const seeds = Array.from({ length: options.seeds }, (_, index) => options.from + index);
  const report = (result: Result): void => {
    results.push(result);
    if (results.length % PROGRESS_COUNT === 0) console.log(`${results.length} of ${options.seeds}`);
  };
  await Promise.all(Array.from({ length: options.workers }, () => serve(seeds, report)));
  summarize(results, systemClock.monotonic() - start);
  process.exit(results.length === options.seeds && results.every(isGood) ? 0 : 1);
}

/** One process, which takes from `seeds` until there are none. A scenario that it does not survive counts as failed. */
async function serve(seeds: number[], report: (result: Result) => void): Promise<void> {
  const running = new Set<number>();
  const child = fork(fileURLToPath(import.meta.url), process.argv.slice(2));
  const next = (): void => {
    const seed = seeds.shift();
    if (seed !== undefined) {
      running.add(seed);
      child.send(seed);
    } else if (running.size === 0) child.disconnect();
  };
  child.on("message", (result: Result) => {
    running.delete(result.seed);
    report(result);
    if (!isGood(result)) tell(result);
    next();
  });
  for (let job = 0; job < JOBS; job += 1) next();
  const code = await new Promise((resolve) => child.once("exit", resolve));
  for (const seed of running)
    report({
      seed,
      program: "?",
      fault: "?",
      failures: [`the process ended with ${String(code)}`],
      ms: 0,
    });
  if (running.size > 0 && seeds.length > 0) await serve(seeds, report);
}

function isGood({ failures }: Result): boolean {
  return failures.length === 0;
}

function tell({ seed, program, fault, failures }: Result): void {
  console.log(`seed ${seed}, ${program}, ${fault}:\n  ${failures.join("\n  ")}`);
}

function summarize(results: readonly Result[], durationMs: number): void {
  for (const what of ["program", "fault"] as const) {
    console.log(`\n| ${what} | seeds | failed |\n| --- | ---: | ---: |`);
    const groups = groupBy(results, (result) => result[what]);
    for (const [name, list] of [...groups].sort(([a], [b]) => a.localeCompare(b)))
      console.log(
        `| ${name} | ${list.length} | ${list.filter((result) => !isGood(result)).length} |`,
      );
  }
  const failed = results.filter((result) => !isGood(result)).map(({ seed }) => seed);
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  console.log(
    `\n${results.length} seeds from ${options.from}, ${failed.length} failed, ${Math.round(durationMs / 1000)} s, commit ${commit}`,
  );
  if (failed.length > 0)
    console.log(
      `failed: ${failed.join(" ")}\nrepeat one with: npm run soak -- --seed N --real ${options.real}`,
    );
}
