// A real mount by the real command, in processes of its own: for tests that see what a user sees.

import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The built command. */
export const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** Why mounts cannot be tested here, or undefined. */
export function whyNoMounts(): string | undefined {
  if (!existsSync("/dev/fuse")) return "/dev/fuse is missing";
  if (process.getuid?.() !== 0) return "mounting needs root";
  if (!existsSync(MAIN)) return "dist/main.js is missing: run 'npm run build' first";
  return undefined;
}

export interface Endpoint {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly bucket: string;
  readonly provider: "kodo" | "generic";
}

export interface Output {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; never throws for its exit code. */
export function run(
  file: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; timeoutMs?: number; cwd?: string } = {},
): Promise<Output> {
  return new Promise((resolve) => {
    const settings = {
      env: { ...process.env, ...options.env },
      timeout: options.timeoutMs ?? 60_000,
      maxBuffer: 64 << 20,
      cwd: options.cwd,
      killSignal: "SIGKILL" as const,
    };
    const child = execFile(file, [...args], settings, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr });
    });
  });
}

/** A shell line that must succeed; `DIR` is the mount point. */
export async function sh(
  line: string,
  env: NodeJS.ProcessEnv = {},
  timeoutMs = 60_000,
): Promise<string> {
  const { code, stdout, stderr, signal } = await run("bash", ["-ec", line], { env, timeoutMs });
  if (code !== 0) throw new Error(`'${line}' ended with ${code ?? signal}: ${stderr}${stdout}`);
  return stdout;
}

/** The mount of a bucket, over any number of runs with one state directory. */
export class TestMount implements AsyncDisposable {
  readonly dir: string;
  readonly stateDir: string;
  readonly #base: string;
  readonly #endpoint: Endpoint;
  readonly #options: readonly string[];
  readonly #pids = new Set<number>();

  constructor(base: string, endpoint: Endpoint, options: readonly string[] = []) {
    this.#base = base;
    this.dir = join(base, "mnt");
    this.stateDir = join(base, "state");
    this.#endpoint = endpoint;
    this.#options = options;
  }

  get env(): NodeJS.ProcessEnv {
    return {
      KODO_ACCESS_KEY: this.#endpoint.accessKeyId,
      KODO_SECRET_KEY: this.#endpoint.secretAccessKey,
      KODOMOUNT_RUN_DIR: join(this.#base, "run"),
      DIR: this.dir,
    };
  }

  /** `kodomount ...` with the keys of the bucket. */
  command(
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    timeoutMs = 60_000,
  ): Promise<Output> {
    return run(process.execPath, [MAIN, ...args], { env: { ...this.env, ...env }, timeoutMs });
  }

  mountArgs(): string[] {
    const { endpoint, region, bucket, provider } = this.#endpoint;
    return [
      "mount",
      `s3://${bucket}`,
      this.dir,
      "--endpoint",
      endpoint,
      "--region",
      region,
      "--provider",
      provider,
      "--state-dir",
      this.stateDir,
      ...this.#options,
    ];
  }

  /** Mounts; `env` may ask for a kill at a named step. */
  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    await mkdir(this.dir, { recursive: true }).catch(() => undefined); // a stale mount point is there already
    const { code, stderr, stdout } = await this.command(this.mountArgs(), env);
    if (code !== 0)
      throw new Error(`mount ended with ${code}: ${stderr}${stdout}\n${await this.log()}`);
    this.#pids.add((await this.status()).pid);
  }

  async status(): Promise<{
    pid: number;
    pending: {
      path: string;
      state: string;
      promised: boolean;
      partsAcknowledged: number;
      partsTotal: number;
      error?: string;
    }[];
    payloadHash: string;
    bytesAcknowledged: number;
  }> {
    const { code, stdout, stderr } = await this.command(["status", this.dir, "--json"]);
    if (code !== 0) throw new Error(`status ended with ${code}: ${stderr}`);
    const parsed: unknown = JSON.parse(stdout);
    return (Array.isArray(parsed) ? parsed[0] : parsed) as never;
  }

  /** SIGKILL to every process of the mount; resolves when they are gone. */
  async kill(): Promise<void> {
    const { pid } = await this.status();
    process.kill(pid, "SIGKILL");
    await gone(pid);
  }

  /** Resolves when the process of the mount has ended by itself. */
  async died(): Promise<void> {
    for (const pid of this.#pids) await gone(pid);
  }

  async unmount(args: readonly string[] = []): Promise<Output> {
    return this.command(["unmount", this.dir, ...args]);
  }

  /** Nothing of this machine's knowledge is left: what shows after the next start comes from the bucket. */
  async forget(): Promise<void> {
    await rm(this.stateDir, { recursive: true, force: true });
  }

  log(): Promise<string> {
    return readFile(join(this.stateDir, "kodomount.log"), "utf8").catch(() => "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.#pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    for (const pid of this.#pids) await gone(pid);
    await run("umount", ["-l", this.dir]);
  }
}

/** Whether something is mounted at `dir`. */
export async function isMounted(dir: string): Promise<boolean> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return lines.some((line) => line.split(" ")[4] === dir);
}

/** A zombie has ended: nobody has asked for its exit code yet. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false; // gone
  }
}

async function gone(pid: number): Promise<void> {
  const end = performance.now() + 20_000;
  while (isAlive(pid)) {
    if (performance.now() > end) throw new Error(`process ${pid} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A program that is started and killed, or waited for, by the test. */
export function start(
  line: string,
  env: NodeJS.ProcessEnv,
): { pid: number; ended: Promise<Output>; kill: (signal: NodeJS.Signals) => void } {
  const child = spawn("bash", ["-c", `exec ${line}`], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (piece: Buffer) => {
    stdout += piece.toString();
  });
  child.stderr.on("data", (piece: Buffer) => {
    stderr += piece.toString();
  });
  const ended = new Promise<Output>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
  return { pid: child.pid ?? 0, ended, kill: (signal) => void child.kill(signal) };
}

/** Polls until `look` says so. */
export async function until(
  what: string,
  look: () => Promise<boolean> | boolean,
  timeoutMs = 30_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`it did not come to pass: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** SHA-256 of what a program would read. */
export async function sha(path: string): Promise<string> {
  const sum = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 }))
    sum.update(piece as Buffer);
  return sum.digest("hex");
}
