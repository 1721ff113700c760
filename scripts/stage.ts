// What the demo stands on: programs that are run to their end, an embedded store and a daemon as processes of their own,
// and a list of what has to be undone.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../src/base/mod.ts";

export const MAIN: string = fileURLToPath(new URL("../dist/main.js", import.meta.url));

export interface Output {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, or kills it when `signal` aborts; its exit code is the caller's to judge. */
export function exec(
  command: readonly [string, ...string[]],
  options: { env?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
): Promise<Output> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      // Ctrl-C reaches the demo alone, which then ends what it has started in the right order.
      detached: true,
    });
    const kill = (): void => void child.kill("SIGKILL");
    options.signal?.addEventListener("abort", kill, { once: true });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (piece: Buffer) => stdout.push(piece));
    child.stderr.on("data", (piece: Buffer) => stderr.push(piece));
    child.on("error", reject);
    child.on("close", (code) => {
      options.signal?.removeEventListener("abort", kill);
      const text = (pieces: Buffer[]): string => Buffer.concat(pieces).toString().trim();
      resolve({ code, stdout: text(stdout), stderr: text(stderr) });
    });
  });
}

/** As `exec`, for what must succeed. @throws Error with what the program said. */
export async function mustExec(
  command: readonly [string, ...string[]],
  options: { env?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
): Promise<string> {
  const { code, stdout, stderr } = await exec(command, options);
  if (code === 0) return stdout;
  throw new Error(`'${command.join(" ")}' ended with ${code ?? "a signal"}: ${stderr || stdout}`);
}

/**
 * `kodomount emulator` in a session of its own, so that Ctrl-C does not take the store away from a mount that still needs
 * it for its end.
 */
export async function startStore(dir: string, env: NodeJS.ProcessEnv): Promise<Store> {
  const log = join(dir, "..", "store.log");
  const to = openSync(log, "a");
  const args = [MAIN, "emulator", dir, "--port", "0", "--bucket", "demo", "--region", "demo"];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", to, to],
    detached: true,
    env: { ...process.env, ...env },
  });
  closeSync(to);
  child.unref();
  const said = (): Promise<string> => readFile(log, "utf8");
  const endpoint = await until(async () => {
    if (child.exitCode !== null) throw new Error(`the store did not start: ${await said()}`);
    return /answers at (http:\S+)/.exec(await said())?.[1];
  });
  return { endpoint, child };
}

export interface Store {
  readonly endpoint: string;
  readonly child: ChildProcess;
}

/** Ends a process of ours, first politely. */
export async function end(pid: number): Promise<void> {
  const deadline = systemClock.monotonic() + 5000;
  for (let signal: NodeJS.Signals = "SIGTERM"; isAlive(pid); ) {
    process.kill(pid, signal);
    if (systemClock.monotonic() > deadline) signal = "SIGKILL";
    await systemClock.sleep(50);
  }
}

/** SIGKILL to a process and to all of its session; resolves when none is left. */
export async function killSession(leader: number): Promise<number[]> {
  const pids = [leader, ...(await sessionOf(leader))];
  for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  await until(async () => (pids.some(isAlive) ? undefined : true));
  return pids;
}

/** From `status`, since other files of /proc can wait for a filesystem that has just lost its process. */
async function sessionOf(leader: number): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === leader) continue;
    // Empty when it has ended meanwhile.
    const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
    if (/^NSsid:\t(\d+)/m.exec(status)?.[1] === String(leader)) pids.push(Number(name));
  }
  return pids;
}

/** Not counting what has ended and waits to be noticed by its parent. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // ESRCH: it is gone.
    return false;
  }
}

/** Looks again and again until there is something to see. @throws Error after `timeoutMs`, or when `signal` aborts. */
export async function until<T>(
  look: () => Promise<T | undefined>,
  options: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const deadline = systemClock.monotonic() + (options.timeoutMs ?? 30_000);
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (systemClock.monotonic() > deadline) throw new Error("it did not come to pass in time");
    await systemClock.sleep(20, options.signal);
  }
}
