// A mount whose process runs in the foreground as our child, so that its end is seen and a hang can be ended: when its
// process is gone, so is the connection, and whoever waits for it gets an error.

import type { ChildProcess } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { exec, until } from "../stage.ts";
import { killGroup, say } from "./programs.ts";
import type { Target, TargetName } from "./types.ts";

/** How one program mounts. */
export interface Mounter {
  /** With version and options: for the report. */
  readonly what: string;
  /** Starts the foreground process; a leader of its own group. */
  start(dir: string): ChildProcess;
  /** Unmounts in an orderly way, when everything that was closed is in the store. @throws when it is not. */
  unmount(dir: string): Promise<void>;
  /** Where it keeps what it knows between two mounts. */
  readonly stateDir: string;
  readonly log: string;
}

const MOUNT_MS = 30_000;
const END_MS = 60_000;

export class MountTarget implements Target {
  readonly name: TargetName;
  readonly dir: string;
  readonly what: string;
  readonly #mounter: Mounter;
  #child: ChildProcess | undefined;

  constructor(name: TargetName, dir: string, mounter: Mounter) {
    this.name = name;
    this.dir = dir;
    this.#mounter = mounter;
    this.what = mounter.what;
  }

  async start(): Promise<void> {
    const child = this.#mounter.start(this.dir);
    this.#child = child;
    await until(
      async () => {
        if (hasEnded(child))
          throw new Error(`${this.name} did not mount: ${await this.#lastWords()}`);
        return (await isMounted(this.dir)) ? true : undefined;
      },
      { timeoutMs: MOUNT_MS },
    );
    // A mount that cannot reach its store is there for a moment.
    if (!(await this.isAlive()))
      throw new Error(`${this.name} does not answer: ${await this.#lastWords()}`);
  }

  async isAlive(): Promise<boolean> {
    if (this.#child === undefined || hasEnded(this.#child)) return false;
    return (await exec(["timeout", "-s", "KILL", "30", "ls", this.dir])).code === 0;
  }

  async remount(): Promise<void> {
    await this.#unmount();
    await rm(this.#mounter.stateDir, { recursive: true, force: true });
    await this.start();
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined) {
      killGroup(child.pid);
      await until(async () => (hasEnded(child) ? true : undefined));
    }
    if (await isMounted(this.dir)) await exec(["umount", "-l", this.dir]);
  }

  /** Also after `kill`, when there is nothing to unmount. */
  async #unmount(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    await this.#mounter.unmount(this.dir);
    await until(async () => (hasEnded(child) ? true : undefined), { timeoutMs: END_MS });
    this.#child = undefined;
  }

  async #lastWords(): Promise<string> {
    const log = await readFile(this.#mounter.log, "utf8").catch(() => "it has said nothing");
    return log.split("\n").slice(-5).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#unmount();
    } catch (error) {
      say(`${this.name} did not unmount in order: ${String(error)}; ${await this.#lastWords()}`);
    }
    await this.kill();
    if (await isMounted(this.dir))
      throw new Error(`cannot unmount ${this.dir}: end it with 'umount -l ${this.dir}'`);
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function isMounted(dir: string): Promise<boolean> {
  return (await readFile("/proc/self/mountinfo", "utf8")).includes(` ${dir} `);
}
