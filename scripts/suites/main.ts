// `npm run suite NAME`: runs a suite that others wrote on a mount of its own, removes everything, and prints what passed.
//   npm run suite pjdfstest | fsx | fio | stress-ng | all
//   -- --target kodomount|s3fs|rclone|dir   what it runs on; `dir` is a plain directory: is the harness right?
//   -- --store emulator|rgw   -- --out FILE.json   -- --only TEXT (cases whose name has it)

import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { describe } from "../../src/base/mod.ts";
import { addTallies, isGood, NOTHING, sumLine, type Tally } from "../tally.ts";
import { judge } from "./exclusions.ts";
import { fio } from "./fio.ts";
import { fsx } from "./fsx.ts";
import { pjdfstest } from "./pjdfstest.ts";
import { say } from "./programs.ts";
import { STORE_NAMES, type StoreName, startSuiteStore } from "./stores.ts";
import { stressNg } from "./stress-ng.ts";
import { startTarget } from "./targets.ts";
import { Missing, type Suite, type SuiteResult, TARGET_NAMES, type TargetName } from "./types.ts";

const SUITES: readonly Suite[] = [pjdfstest, fsx, fio, stressNg];

interface Order {
  readonly suites: readonly Suite[];
  readonly target: TargetName;
  readonly store: StoreName;
  /** A file for one suite, a directory for `all`. */
  readonly out: string | undefined;
  readonly only: string | undefined;
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const order = readOrder(args);
  if (typeof order === "string") {
    process.stderr.write(`suite: ${order}\n`);
    return 2;
  }
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => abort.abort());
  let total = NOTHING;
  for (const suite of order.suites)
    if (!abort.signal.aborted)
      total = addTallies(total, await runSuite(suite, order, abort.signal));
  if (abort.signal.aborted)
    total = addTallies(total, { ...NOTHING, failed: ["ended by a signal"] });
  say("");
  for (const name of total.skipped) say(`skipped: ${name}`);
  for (const name of total.failed) say(`failed: ${name}`);
  say(`${sumLine(total)}${total.skipped.length === 0 ? ", 0 skipped" : ""}`);
  return isGood(total) ? 0 : 1;
}

/** The order, or what is wrong with it. */
function readOrder(args: string[]): Order | string {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        target: { type: "string", default: "kodomount" },
        store: { type: "string", default: "emulator" },
        out: { type: "string" },
        only: { type: "string" },
      },
    });
    const suites = SUITES.filter(({ name }) => positionals.includes(name));
    const all = positionals[0] === "all";
    if (positionals.length !== 1 || (suites.length === 0 && !all))
      return `name one of ${SUITES.map(({ name }) => name).join(", ")} or all`;
    const target = TARGET_NAMES.find((name) => name === values.target);
    if (target === undefined) return `--target is one of ${TARGET_NAMES.join(", ")}`;
    const store = STORE_NAMES.find((name) => name === values.store);
    if (store === undefined) return `--store is one of ${STORE_NAMES.join(", ")}`;
    return { suites: all ? SUITES : suites, target, store, out: values.out, only: values.only };
  } catch (error) {
    return describe(error);
  }
}

async function runSuite(suite: Suite, order: Order, signal: AbortSignal): Promise<Tally> {
  say(`== ${suite.name} on ${order.target}`);
  if (process.getuid?.() !== 0)
    return { ...NOTHING, skipped: [`${suite.name}: mounting and changing users needs root`] };
  const base = await mkdtemp(join(tmpdir(), "kodomount-suites-"));
  try {
    const result = await runOn(suite, order, { base, signal });
    await report(result, order);
    return tallyOf(result);
  } catch (error) {
    if (error instanceof Missing)
      return { ...NOTHING, skipped: [`${suite.name}: ${error.message}`] };
    return { ...NOTHING, failed: [`${suite.name}: ${describe(error)}`] };
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

async function runOn(
  suite: Suite,
  order: Order,
  { base, signal }: { base: string; signal: AbortSignal },
): Promise<SuiteResult> {
  const tool = await suite.prepare(signal);
  // Other users pass through it on their way to the mount.
  await chmod(base, 0o755);
  const workDir = join(base, "work");
  await mkdir(workDir);
  await using store = order.target === "dir" ? undefined : await startSuiteStore(order.store, base);
  await using target = await startTarget(order.target, { base, store, signal, partSize: "1M" });
  const cases = await suite.run({ target, workDir, signal, only: order.only });
  return {
    suite: suite.name,
    target: order.target,
    tool,
    what: target.what,
    store: store?.name ?? "none",
    only: order.only,
    cases,
  };
}

function tallyOf({ suite, target, cases }: SuiteResult): Tally {
  const { passed, failed, skipped, excluded } = judge(suite, cases);
  const line = (name: string, why = ""): string =>
    `${suite} on ${target}: ${name}${why === "" ? "" : `: ${why}`}`;
  return {
    passed: passed.length,
    failed: failed.map(({ name, detail }) => line(name, detail)),
    skipped: [
      ...skipped.map(({ name, detail }) => line(name, detail)),
      ...excluded.map(({ case: each, exclusion }) => line(each.name, exclusion.what)),
    ],
  };
}

async function report(result: SuiteResult, order: Order): Promise<void> {
  if (order.out === undefined) return;
  const all = order.suites.length > 1;
  const file = all ? join(order.out, `${result.target}-${result.suite}.json`) : order.out;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
  say(`written: ${file}`);
}
