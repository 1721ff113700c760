// Runs programs for the scripts: output goes to ours, and all that a program has started ends with it.

import { type ChildProcess, spawn } from "node:child_process";
import { systemClock } from "../src/base/mod.ts";

/** What runs now, each as the leader of a process group of its own. */
const running = new Set<ChildProcess>();

/**
 * Runs a program to its end and says whether it succeeded.
 * @param options.timeLimitMs after it the program and its process group are killed, which counts as a failure.
 */
export function succeeds(
  command: readonly [string, ...string[]],
  options: { env?: NodeJS.ProcessEnv; timeLimitMs: number },
): Promise<boolean> {
  const [program, ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
      env: { ...process.env, ...options.env },
    });
    running.add(child);
    const cancel = systemClock.after(options.timeLimitMs, () => {
      console.log(`${command.join(" ")}: not done after ${options.timeLimitMs / 1000} s, killed`);
      killGroup(child);
    });
    const end = (good: boolean): void => {
      cancel();
      running.delete(child);
      resolve(good);
    };
    child.on("error", (error) => {
      console.log(`${program}: ${error.message}`);
      end(false);
    });
    child.on("exit", (code) => end(code === 0));
  });
}

/** Kills what `succeeds` has under way: for the end by a signal. */
export function killRunning(): void {
  for (const child of running) killGroup(child);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Ended by itself meanwhile, which is what was wanted.
  }
}
