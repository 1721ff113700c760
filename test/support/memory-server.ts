// For tests of the transport: a mount served by a child process, and programs that use it. Everything that is started is
// ended again, and a mount that hangs fails its test instead of hanging it.

import { execFile, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { systemClock } from "../../src/base/mod.ts";
import type { Asked, Told } from "./memory-mount.ts";

const SERVER = fileURLToPath(new URL("./memory-mount.ts", import.meta.url));
const COMMAND_MS = 60_000;
const UNMOUNT_MS = 5000;
const run = promisify(execFile);

/** Why mounts cannot be tested here; undefined when they can. */
export const CANNOT_MOUNT: string | undefined = !existsSync("/dev/fuse")
  ? "there is no /dev/fuse"
  : process.getuid?.() === 0
    ? undefined
    : "mounting needs root";

type ToldOf<K extends Told["kind"]> = Extract<Told, { kind: K }>;

/** A Python program that has said that it is ready. */
export interface Program {
  readonly pid: number;
  /** What it has printed so far. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

interface ServerProcess {
  readonly connected: boolean;
  send(asked: Asked): boolean;
  kill(signal: NodeJS.Signals): boolean;
}

export class MemoryServer {
  /** An own directory for the test, with `mnt` in it. */
  readonly root: string;
  readonly dir: string;
  readonly told: Told[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #programs: Program[] = [];
  #child: ServerProcess | undefined;
  /** Exit code of the server. */
  exited: Promise<number | null> = Promise.resolve(null);

  private constructor(root: string) {
    this.root = root;
    this.dir = join(root, "mnt");
  }

  static async create(): Promise<MemoryServer> {
    const server = new MemoryServer(await mkdtemp(join(tmpdir(), "kodomount-fuse-")));
    await mkdir(server.dir);
    return server;
  }

  /** Mounts. */
  async start(options: { sink?: boolean; allowOther?: boolean } = {}): Promise<void> {
    this.told.length = 0;
    const args = [this.dir, JSON.stringify(options)];
    const child = fork(SERVER, args, { execArgv: ["--import", "tsx"] });
    this.#child = child;
    child.on("message", (told: Told) => {
      this.told.push(told);
      this.#wake();
    });
    this.exited = new Promise((resolve) => {
      child.on("exit", (code) => {
        this.#child = undefined;
        resolve(code);
        this.#wake();
      });
    });
    await this.next("mounted");
  }

  ask(asked: Asked): void {
    if (this.#child?.connected) this.#child.send(asked);
  }

  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  all<K extends Told["kind"]>(kind: K): ToldOf<K>[] {
    return this.told.filter((told): told is ToldOf<K> => told.kind === kind);
  }

  /** The `count`-th thing of this kind that the server has told; waits for it. */
  async next<K extends Told["kind"]>(kind: K, count = 1): Promise<ToldOf<K>> {
    return this.#find(() => this.all(kind)[count - 1]);
  }

  /** The `count`-th FLUSH of file `name`; waits for it. */
  async flush(name: string, count = 1): Promise<ToldOf<"flush">> {
    return this.#find(() => this.all("flush").filter((told) => told.name === name)[count - 1]);
  }

  async isMounted(): Promise<boolean> {
    return (await readFile("/proc/self/mountinfo", "utf8")).includes(` ${this.dir} `);
  }

  /** The output of a shell command, run in the mount. */
  async sh(command: string, cwd: string = this.dir): Promise<string> {
    const options = {
      cwd,
      timeout: COMMAND_MS,
      killSignal: "SIGKILL",
      maxBuffer: 2 ** 26,
    } as const;
    return (await run("sh", ["-ec", command], options)).stdout;
  }

  /** The output of a Python program, run in the mount. */
  async python(script: string): Promise<string> {
    const options = { cwd: this.dir, timeout: COMMAND_MS, killSignal: "SIGKILL" } as const;
    return (await run("python3", ["-c", script], options)).stdout;
  }

  /** Starts a Python program in the mount; it must print something when it is ready. */
  async startPython(script: string): Promise<Program> {
    const child = spawn("python3", ["-u", "-c", script], {
      cwd: this.dir,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    const ended = new Promise<number | string>((resolve) => {
      child.on("close", (code, signal) => resolve(code ?? signal ?? ""));
    });
    const program = {
      pid: child.pid ?? 0,
      output: () => output,
      kill: (signal: NodeJS.Signals) => child.kill(signal),
      ended,
    };
    this.#programs.push(program);
    await Promise.race([once(child.stdout, "data"), ended]);
    return program;
  }

  /** Ends whatever is left. */
  async stop(): Promise<void> {
    for (const program of this.#programs) program.kill("SIGKILL");
    this.ask({ kind: "unmount", force: true });
    const cancel = systemClock.after(UNMOUNT_MS, () => this.kill());
    await this.exited;
    cancel();
    while (await this.isMounted()) await run("umount", ["-i", "-f", "-l", this.dir]);
    await rm(this.root, { recursive: true, force: true });
  }

  async #find<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#child === undefined) throw new Error(`It ended: ${JSON.stringify(this.told)}`);
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  #wake(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher();
  }
}
