// Runs mount(8), umount(8) and stat(1) as children. Never through a shell, and never waited for synchronously: they may ask
// us for an answer.

import { spawn } from "node:child_process";
import { errnoOf } from "../base/mod.ts";

export interface Outcome {
  /** Undefined when the program could not be started, or did not end in time. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly timeoutMs: number;
  /** A descriptor that the child shall have as number 3. */
  readonly fd?: number;
}

/** Runs `program` to its end. A child that cannot even be killed is left behind. */
export function runCommand(
  program: string,
  args: readonly string[],
  { timeoutMs, fd }: CommandOptions,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: "/",
      env: { PATH: process.env["PATH"], LC_ALL: "C" }, // messages are matched
      stdio: ["ignore", "pipe", "pipe", ...(fd === undefined ? [] : [fd])],
      signal: AbortSignal.timeout(timeoutMs),
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on("error", (error) => {
      const why =
        error.name === "AbortError" ? "no answer in time" : (errnoOf(error) ?? error.message);
      resolve({ status: undefined, stdout, stderr: `${program}: ${why}` });
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
    });
    child.on("close", (status) => resolve({ status: status ?? undefined, stdout, stderr }));
  });
}
