// A mount without kernel and store behind the real control socket and registry: what is pending in it is what the test
// says, and a child that only sleeps stands for its process.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Background, KodomountError, silentLog, systemClock } from "../../../src/base/mod.ts";
import { run } from "../../../src/cli/mod.ts";
import { Registry } from "../../../src/cli/registry.ts";
import { Running } from "../../../src/cli/running.ts";
import type { Surroundings } from "../../../src/config/mod.ts";
import {
  type Action,
  type ArchiveStatus,
  type ControlServer,
  type ControlTarget,
  controlSocket,
  type PendingStatus,
  type RestoreOrder,
  startControl,
} from "../../../src/control/mod.ts";
import { load } from "../config/load.ts";

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A place for registry and mounts of one test, and the commands run in it. */
export class CliWorld implements AsyncDisposable {
  readonly base: string;
  readonly #mounts: FakeMount[] = [];

  private constructor(base: string) {
    this.base = base;
  }

  static async create(): Promise<CliWorld> {
    return new CliWorld(await mkdtemp(path.join(os.tmpdir(), "kodomount-cli-")));
  }

  get around(): Surroundings {
    return {
      env: { KODOMOUNT_RUN_DIR: path.join(this.base, "run") },
      cwd: this.base,
      home: this.base,
      isRoot: true,
      hasFile: () => false,
    };
  }

  get registry(): Registry {
    return new Registry(path.join(this.base, "run"));
  }

  /** `kodomount ARGS`, in this process. `onOut` sees what is written as it is. */
  async kodomount(
    args: readonly string[],
    options: {
      env?: Record<string, string>;
      program?: string;
      onOut?: (text: string) => void;
      /** The output is a screen of that size. */
      screen?: { columns: number; rows: number };
    } = {},
  ): Promise<Said> {
    let out = "";
    let err = "";
    const terminal = {
      out: (text: string) => {
        out += text;
        options.onOut?.(text);
      },
      err: (text: string) => {
        err += text;
      },
      isScreen: options.screen !== undefined,
      size: () => options.screen ?? { columns: 80, rows: 24 },
    };
    const around = { ...this.around, env: { ...this.around.env, ...options.env } };
    const code = await run(["node", options.program ?? "kodomount", ...args], terminal, around);
    return { code, out, err };
  }

  async mount(name: string): Promise<FakeMount> {
    const mount = await FakeMount.start(this, name);
    this.#mounts.push(mount);
    return mount;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const mount of this.#mounts) await mount.end();
    await rm(this.base, { recursive: true });
  }
}

export class FakeMount {
  readonly dir: string;
  readonly stateDir: string;
  readonly pid: number;
  /** What the mount says is pending; the test changes it as it likes. */
  pending: PendingStatus[] = [];
  trouble: { since: number; error: string } | undefined;
  filesOpen = false;
  handles = 0;
  readonly acted: Action[] = [];
  /** What the mount does when it is asked to warm. */
  warm: ControlTarget["warm"] = async () => ({ files: 0, bytes: 0, bytesFetched: 0, failed: [] });
  /** What it says of archived files, one after the other. */
  readonly archived = new Map<string, ArchiveStatus[]>();
  readonly asked: RestoreOrder[] = [];
  readonly running: Running;
  #letGo: () => void = () => undefined;
  #control: ControlServer | undefined;
  readonly #kill: () => Promise<void>;
  readonly #background = new Background(silentLog);

  private constructor(where: {
    dir: string;
    stateDir: string;
    pid: number;
    kill: () => Promise<void>;
  }) {
    this.dir = where.dir;
    this.stateDir = where.stateDir;
    this.pid = where.pid;
    this.#kill = where.kill;
    this.running = new Running({
      config: { ...load({}), dir: where.dir, stateDir: where.stateDir },
      version: "0.1.0",
      clock: systemClock,
      log: silentLog,
      payloadHash: "verified",
      pending: () => this.pending,
      hurry: () => {},
      act: async (action) => {
        this.acted.push(action);
      },
      warm: (...given) => this.warm(...given),
      archives: {
        status: async (path) => this.archived.get(path)?.shift() ?? { path, state: "stored" },
        restore: async (path, days, signal) => {
          this.asked.push({ path, days });
          return [await this.running.archive(path, signal)];
        },
      },
      spill: () => ({ used: 1024, limit: 1024 ** 3 }),
      progress: () => ({ inFlight: 3, bytesAcknowledged: 8 * 1024 ** 2 }),
      goodput: () => 1024 ** 2,
      trouble: () => this.trouble,
      failures: () => 0,
      openHandles: () => this.handles,
      releaseAll: async () => {
        this.handles = 0;
      },
      mount: {
        closed: new Promise((resolve) => {
          this.#letGo = resolve;
        }),
        unmount: async (options) => {
          if (this.filesOpen && options?.force !== true)
            throw new KodomountError("Busy", "Files are open");
          this.#letGo();
        },
      },
      tearDown: this.#kill,
    });
  }

  static async start(world: CliWorld, name: string): Promise<FakeMount> {
    const dir = path.join(world.base, name);
    const stateDir = path.join(world.base, `${name}.state`);
    await mkdir(dir);
    await mkdir(stateDir);
    const child = spawn("sleep", ["600"], { stdio: "ignore" });
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const kill = async (): Promise<void> => {
      child.kill("SIGKILL");
      await gone;
    };
    const mount = new FakeMount({ dir, stateDir, pid: child.pid ?? 0, kill });
    const { running } = mount;
    mount.#control = await startControl({
      socket: controlSocket(stateDir),
      target: running,
      background: mount.#background,
    });
    await world.registry.add({ dir, stateDir, pid: mount.pid, source: "s3://models/team/a" });
    return mount;
  }

  /** As `umount` by somebody else does. */
  letGo(): void {
    this.#letGo();
  }

  /** The process is gone, without a word. */
  async die(): Promise<void> {
    await this.#control?.close();
    this.#control = undefined;
    await this.#kill();
  }

  async end(): Promise<void> {
    this.pending = [];
    this.#letGo();
    await this.running.ended;
    await this.#background.settled();
    await this.#control?.close();
  }
}

export function pending(changes: Partial<PendingStatus> & { path: string }): PendingStatus {
  return {
    save: "0123456789abcdef",
    state: "closed",
    size: 24 * 1024 ** 2,
    partsAcknowledged: 1,
    bytesAcknowledged: 8 * 1024 ** 2,
    partsTotal: 3,
    waitsFor: "bytes",
    since: 0,
    promised: true,
    error: undefined,
    ...changes,
  };
}
