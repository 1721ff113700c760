// stress-ng: its stressors of filesystems, one after the other, two workers each, with its own checks of what it reads back.

import { join } from "node:path";
import { runLimited, say } from "./programs.ts";
import { STRESSORS } from "./stressors.ts";
import { surviving } from "./survive.ts";
import { installDebian, versionOf } from "./tools.ts";
import type { Case, Context, Suite } from "./types.ts";

const SECONDS = 5;
/** Some clean up for long: ten thousand names, each removed in the store. */
const TIME_LIMIT_MS = 4 * 60_000;
/** What stress-ng ends with when a stressor does not exist or cannot run here. */
const NOT_RUN = 4;
const NO_RESOURCE = 3;

export const stressNg: Suite = {
  name: "stress-ng",
  prepare: async (signal) => {
    const version = await versionOf(await installDebian("stress-ng", "stress-ng", signal));
    return `${version.split(" (")[0] ?? ""} (Debian), --verify, 2 workers, ${SECONDS} s each`;
  },
  run,
};

async function run(context: Context): Promise<Case[]> {
  const cases: Case[] = [];
  for (const [name, options] of Object.entries(STRESSORS)) {
    if (context.only !== undefined && !name.includes(context.only)) continue;
    const result = await surviving(context, name, () => runOne(context, name, options));
    say(
      `stress-ng ${name}: ${result.outcome}${result.detail === undefined ? "" : `: ${result.detail}`}`,
    );
    cases.push(result);
  }
  return cases;
}

async function runOne(
  { target, workDir, signal }: Context,
  name: string,
  options: readonly string[],
): Promise<Case> {
  const program = await installDebian("stress-ng", "stress-ng", signal);
  const dir = join(target.dir, `stress-${name}`);
  const limits = {
    timeLimitMs: TIME_LIMIT_MS,
    signal,
    unhang: () => target.kill(),
    cwd: workDir,
  };
  const how = ["--verify", "--timeout", `${SECONDS}s`, "--temp-path", dir, "--oomable"];
  // By programs, not by ourselves: a mount that hangs must not take us with it.
  await runLimited(["mkdir", dir], limits);
  const { code, hung, output } = await runLimited(
    [program, `--${name}`, "2", ...options, ...how],
    limits,
  );
  const removed = hung ? undefined : await runLimited(["rm", "-rf", dir], limits);
  if (hung || removed?.hung === true) {
    await target.kill();
    return { name, outcome: "failed", detail: `not done after ${TIME_LIMIT_MS / 60_000} minutes` };
  }
  return judge(name, code, output);
}

/** Its line `failed:` counts workers that failed, with the exit code 2; but some only complain. */
function judge(name: string, code: number | null, output: string): Case {
  const complaints = output
    .split("\n")
    .filter((line) => /stress-ng: (fail|error):/.test(line))
    .map((line) => line.replace(/^stress-ng: \w+:\s+\[\d+\]\s*/, ""));
  const detail = complaints.slice(0, 3).join(" | ").slice(0, 400);
  if (
    /skipped: [1-9]/.test(output) &&
    !/passed: [1-9]/.test(output) &&
    !/ failed: [1-9]/.test(output)
  )
    return { name, outcome: "skipped", detail: skipReason(output) };
  if (code === NOT_RUN || code === NO_RESOURCE)
    return { name, outcome: "skipped", detail: skipReason(output) };
  if (code === 0 && complaints.length === 0) return { name, outcome: "passed" };
  return { name, outcome: "failed", detail: detail === "" ? `ended with ${code}` : detail };
}

function skipReason(output: string): string {
  const line = output.split("\n").find((text) => /skip|not implemented|unsupported/i.test(text));
  return (line ?? "it says no reason").replace(/^stress-ng: \w+:\s+\[\d+\]\s*/, "").slice(0, 200);
}
