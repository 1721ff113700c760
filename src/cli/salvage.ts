// `kodomount salvage`: the way out when the catalog is lost. It changes nothing in the state directory.

import { mkdir, readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import { errnoOf, KodomountError, toError } from "../base/mod.ts";
import { formatSize } from "../config/mod.ts";
import type { SalvagedFile, SalvageReport } from "../salvage/mod.ts";
import type { Context } from "./context.ts";
import { EXIT_FAILED } from "./terminal.ts";
import { printable } from "./text-width.ts";

const HELP = `
Exits with 1 when something is missing or damaged: such a file has '.incomplete' at the end of its name, and its missing
ranges are zeros. What was already in the bucket is not here, and need not be.
`;

/** The command. */
export function salvageCommand(context: Context): Command {
  return new Command("salvage")
    .summary("get the content out of a state directory whose catalog is lost")
    .description(
      "Copies what was saved and is not in the bucket from STATE_DIR, where no mount may run, to TARGET_DIR, which must be empty or missing. Says of each file whether it is complete, or which ranges are missing. STATE_DIR is only read.",
    )
    .argument("<state-dir>", "as given to 'mount --state-dir', or as 'status' shows it")
    .argument("<target-dir>", "an empty directory, or one that is to be made")
    .option("--json", "for programs: an object")
    .addHelpText("after", HELP)
    .action(async (stateDir: string, targetDir: string, { json }: { json?: boolean }) => {
      const { terminal, around } = context;
      const state = await existing(path.resolve(around.cwd, stateDir));
      const target = path.resolve(around.cwd, targetDir);
      await assertUnused(state);
      await prepareTarget(state, target);
      const { salvage } = await import("../salvage/mod.ts");
      const report = await salvage(state, target);
      // A mount that began meanwhile may have changed what was read.
      await assertUnused(state);
      terminal.out(json === true ? `${JSON.stringify(report)}\n` : show(report, target));
      if (report.files.some(({ complete }) => !complete)) context.exitCode = EXIT_FAILED;
    });
}

async function existing(dir: string): Promise<string> {
  try {
    if (!(await stat(dir)).isDirectory()) throw bad("salvage", dir, "it is not a directory");
    await readdir(dir);
    return await realpath(dir);
  } catch (error) {
    if (error instanceof KodomountError) throw error;
    const why = errnoOf(error) === "ENOENT" ? "it is not there" : toError(error).message;
    throw bad("salvage", dir, why);
  }
}

async function assertUnused(state: string): Promise<void> {
  // With the catalog's database: no other command is to wait for that to load.
  const { whoUses } = await import("./in-use.ts");
  const who = await whoUses(state);
  if (who !== undefined)
    throw new KodomountError(
      "Busy",
      `Cannot salvage ${state}: it is in use by ${who}; what is in it is published by that. 'kodomount unmount' first`,
    );
}

async function prepareTarget(state: string, target: string): Promise<void> {
  try {
    const parent = await nearest(target);
    if (isWithin(parent, state))
      throw bad("use", target, `it is inside the state directory ${state}, which must not change`);
    await mkdir(target, { recursive: true, mode: 0o700 });
    if ((await readdir(target)).length > 0)
      throw bad(
        "use",
        target,
        "it is not empty; name a directory that is, or one that is to be made",
      );
  } catch (error) {
    throw error instanceof KodomountError ? error : bad("use", target, toError(error).message);
  }
}

/** The directory itself, or the parent that is there, without symbolic links. */
async function nearest(dir: string): Promise<string> {
  try {
    return await realpath(dir);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || dir === path.dirname(dir)) throw toError(error);
    return path.join(await nearest(path.dirname(dir)), path.basename(dir));
  }
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`);
}

function bad(what: string, dir: string, why: string): KodomountError {
  return new KodomountError("Config", `Cannot ${what} ${JSON.stringify(dir)}: ${why}`);
}

function show({ files, notes }: SalvageReport, target: string): string {
  const whole = files.filter(({ complete }) => complete).length;
  const lines = [
    ...notes.map((note) => `Note: ${printable(note)}`),
    ...files.flatMap(showFile),
    files.length === 0
      ? "Nothing is in the spill"
      : `${whole} of ${files.length} files are complete, in ${target}`,
  ];
  return `${lines.join("\n")}\n`;
}

const NO_RECORD =
  "the catalog knows nothing of it: it was finished, dropped, or its record is lost";

/** Ranges of a file that are named; the rest is counted. */
const RANGES_MAX = 10;

function showFile(file: SalvagedFile): string[] {
  const { key, save, state, size, complete, missing, path: at } = file;
  const name = printable(key ?? `save ${save}, whose name is lost`);
  const how = state === undefined ? "" : ` (${state === "none" ? NO_RECORD : state})`;
  const where = at === undefined || at === key ? "" : `, as ${printable(at)}`;
  const ranges = missing
    .slice(0, RANGES_MAX)
    .map(({ offset, size: length, why }) =>
      length === 0
        ? `    ${why}`
        : `    bytes ${offset} to ${offset + length - 1} are missing: ${printable(why)}`,
    );
  const more = missing.length - ranges.length;
  if (more > 0) ranges.push(`    and ${more} more ranges`);
  return [
    `${complete ? "complete  " : "incomplete"}  ${name}, ${formatSize(size)}${how}${where}`,
    ...ranges,
  ];
}
