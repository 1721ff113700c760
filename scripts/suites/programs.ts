// Runs the programs of a suite, with a limit in time and a way out when a mount hangs under them.

import { spawn } from "node:child_process";
import { systemClock } from "../../src/base/mod.ts";

/** Lines for the reader, as they come. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export interface Ended {
  /** null when a signal ended it, also ours after the time limit. */
  readonly code: number | null;
  readonly hung: boolean;
  /** Standard output and errors, as they came. */
  readonly output: string;
}

export interface Limits {
  readonly timeLimitMs: number;
  readonly signal: AbortSignal;
  /** Called when SIGKILL alone does not end the program: it waits for a mount that does not answer. */
  readonly unhang: () => Promise<void>;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** How long a killed program may take to be gone before the mount is thought to hang. */
const KILL_MS = 5000;
/** The last of the output is kept: where failures are. */
const OUTPUT_MAX = 8 << 20;

/** Runs a program to its end, or to the end of its time. Its exit code is the caller's to judge. */
export async function runLimited(
  [program, ...args]: readonly [string, ...string[]],
  limits: Limits,
): Promise<Ended> {
  limits.signal.throwIfAborted();
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    cwd: limits.cwd,
    env: { ...process.env, ...limits.env },
  });
  const pieces: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece: Buffer) => pieces.push(piece));
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const kill = (): void => killGroup(child.pid);
  limits.signal.addEventListener("abort", kill, { once: true });
  let hung = false;
  const cancel = systemClock.after(limits.timeLimitMs, () => {
    hung = true;
    kill();
  });
  const cancelUnhang = systemClock.after(limits.timeLimitMs + KILL_MS, () => {
    limits.unhang().catch((error: unknown) => say(`cannot end the mount: ${String(error)}`));
  });
  try {
    const code = await closed;
    limits.signal.throwIfAborted();
    return { code, hung, output: Buffer.concat(pieces).toString().slice(-OUTPUT_MAX) };
  } finally {
    cancel();
    cancelUnhang();
    kill(); // What it has started and left.
    limits.signal.removeEventListener("abort", kill);
  }
}

export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Ended by itself, which is what was wanted.
  }
}

/** The last lines of what a program said, for the reader of a failure. */
export function tail(output: string, lineCount = 4): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return lines.slice(-lineCount).join(" | ").slice(0, 600);
}
