// fsx: thousands of random writes, reads, truncations, mappings, closes of one file, each read compared with what must be
// there; at the end the file is read once more from a new mount.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runLimited, say, tail } from "./programs.ts";
import { surviving } from "./survive.ts";
import { installCrate } from "./tools.ts";
import type { Case, Context, Suite } from "./types.ts";

const VERSION = "0.3.2";
const OPERATION_COUNT = 10_000;
const SEEDS = [1, 2, 3];
const TIME_LIMIT_MS = 10 * 60_000;
const KIB = 1024;

export const fsx: Suite = {
  name: "fsx",
  prepare: async (signal) => {
    await installCrate("fsx", VERSION, signal);
    return `fsx ${VERSION} (crate), ${OPERATION_COUNT} operations, seeds ${SEEDS.join(", ")}`;
  },
  run,
};

/** Weights of operations; those that are not named have 0. */
interface Mode {
  readonly flen: number;
  readonly opMax: number;
  readonly align?: number;
  readonly weights: Readonly<Record<string, number>>;
}

const DATA = { read: 10, write: 10, truncate: 3, fsync: 0.5, fdatasync: 0.5 };
const MAPPED = { mapread: 10, mapwrite: 10, invalidate: 1 };
const HOLES = { truncate: 10, posix_fallocate: 3 };
const ALL = { ...DATA, ...MAPPED, ...HOLES, sendfile: 3, posix_fadvise: 3, copy_file_range: 3 };
/** Files of a part and less, and files of several parts of 1 MiB. */
const SMALL = { flen: 256 * KIB, opMax: 64 * KIB };
const LARGE = { flen: 5120 * KIB, opMax: 256 * KIB };

const MODES: Readonly<Record<string, Mode>> = {
  "read and write": { ...SMALL, weights: { ...NONE(), ...DATA } },
  "close and reopen": { ...SMALL, weights: { ...NONE(), ...DATA, close_open: 2 } },
  mmap: { ...SMALL, weights: { ...NONE(), ...DATA, ...MAPPED, close_open: 0.5 } },
  holes: { ...SMALL, weights: { ...NONE(), ...DATA, ...HOLES, close_open: 0.5 } },
  "punched holes": { ...SMALL, weights: { ...NONE(), ...DATA, ...HOLES, punch_hole: 5 } },
  "all but punching, small": { ...SMALL, weights: { ...ALL, close_open: 1 } },
  "all but punching, aligned to 4 KiB": {
    ...SMALL,
    align: 4096,
    // Rounded down, a length may be 0: an error of posix_fallocate everywhere, which fsx takes for "not supported".
    weights: { ...ALL, close_open: 1, posix_fallocate: 0 },
  },
  "all but punching, many parts": { ...LARGE, weights: { ...ALL, close_open: 0.5 } },
};

/** fsx gives the classical operations a weight by itself. */
function NONE(): Record<string, number> {
  return { read: 0, write: 0, mapread: 0, mapwrite: 0, truncate: 0 };
}

async function run(context: Context): Promise<Case[]> {
  const cases: Case[] = [];
  for (const mode of Object.keys(MODES))
    for (const seed of SEEDS) {
      const name = `${mode}, seed ${seed}`;
      if (context.only !== undefined && !name.includes(context.only)) continue;
      const result = await surviving(context, name, () => runOne(context, { name, mode, seed }));
      say(
        `fsx ${name}: ${result.outcome}${result.detail === undefined ? "" : `: ${result.detail}`}`,
      );
      cases.push(result);
    }
  return cases;
}

async function runOne(
  context: Context,
  { name, mode, seed }: { name: string; mode: string; seed: number },
): Promise<Case> {
  const { target, workDir, signal } = context;
  const program = await installCrate("fsx", VERSION, signal);
  const config = join(workDir, "fsx.toml");
  await writeFile(config, configuration(mode));
  // Where it writes what it expected, when something is wrong.
  const artifacts = join(workDir, "fsx");
  await mkdir(artifacts, { recursive: true });
  const file = join(target.dir, `fsx-${mode.replaceAll(/\W+/g, "-")}-${seed}`);
  const options = ["-q", "-f", config, "-N", String(OPERATION_COUNT), "-S", String(seed)];
  const limits = { timeLimitMs: TIME_LIMIT_MS, signal, unhang: () => target.kill() };
  const { code, hung, output } = await runLimited(
    [program, ...options, "-P", artifacts, file],
    limits,
  );
  const failed = (detail: string): Case => ({ name, outcome: "failed", detail });
  if (hung) {
    await target.kill();
    return failed(`not done after ${TIME_LIMIT_MS / 60_000} minutes`);
  }
  if (code !== 0) return failed(`ended with ${code ?? "a signal"}: ${firstLine(output)}`);
  // By programs, not by ourselves: a mount that hangs must not take us with it.
  const before = (await runLimited(["sha256sum", file], limits)).output;
  await target.remount();
  const after = (await runLimited(["sha256sum", file], limits)).output;
  await runLimited(["rm", file], limits);
  if (before !== after) return failed("another content after unmount and mount");
  return { name, outcome: "passed" };
}

function configuration(mode: string): string {
  const { flen, opMax, align, weights } = MODES[mode] ?? { flen: 0, opMax: 0, weights: {} };
  const lines = [`flen = ${flen}`, "[opsize]", `max = ${opMax}`];
  if (align !== undefined) lines.push(`align = ${align}`);
  lines.push(
    "[weights]",
    ...Object.entries(weights).map(([name, weight]) => `${name} = ${weight.toFixed(1)}`),
  );
  return `${lines.join("\n")}\n`;
}

/** It says what was wrong first, then the long list of what it had done before. */
function firstLine(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const first = lines.findIndex((line) => !/Using seed/.test(line));
  // A panic says where on its first line, and what on the second.
  return first < 0
    ? tail(output)
    : lines
        .slice(first, first + 2)
        .join(" ")
        .slice(0, 400);
}
