// Which mounts of this user are alive: one small file for each, so that a command finds the process behind a directory
// without touching the directory (a mount that hangs would hang the command).

import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import {
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { errnoOf, toError } from "../base/mod.ts";
import { type Surroundings, stateBase } from "../config/mod.ts";

export interface RegistryEntry {
  /** Absolute, without symbolic links. */
  readonly dir: string;
  readonly stateDir: string;
  readonly pid: number;
  /** `s3://BUCKET/PREFIX`. */
  readonly source: string;
}

export class Registry {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes `entry` known. One that a dead process left for the same directory is replaced. */
  async add(entry: RegistryEntry): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const file = this.#file(entry.dir);
    // A reader sees the whole entry or none.
    const temporary = `${file}.${randomBytes(4).toString("hex")}`;
    await writeFile(temporary, JSON.stringify(entry), { mode: 0o600 });
    await rename(temporary, file);
  }

  /** Forgets the entry, unless another process has taken its place. */
  async remove(entry: RegistryEntry): Promise<void> {
    const file = this.#file(entry.dir);
    if ((await readEntry(file))?.pid === entry.pid) await rm(file, { force: true });
  }

  /** The entry of that directory, of a living process or of a dead one. */
  find(dir: string): Promise<RegistryEntry | undefined> {
    return readEntry(this.#file(dir));
  }

  /**
   * All entries by directory, of living processes and of those that died without a word: what these left is cleaned up
   * by `mount` and `unmount`, and worth a word until then, unless nothing of it is left.
   */
  async list(): Promise<RegistryEntry[]> {
    const names = (await namesIn(this.#directory)).filter((each) => each.endsWith(".json"));
    const entries: RegistryEntry[] = [];
    for (const name of names) {
      const file = path.join(this.#directory, name);
      const entry = await readEntry(file);
      if (entry === undefined) continue;
      if ((await isAlive(entry.pid)) || existsSync(entry.stateDir)) entries.push(entry);
      else await rm(file, { force: true });
    }
    return entries.sort((a, b) => (a.dir < b.dir ? -1 : 1));
  }

  #file(dir: string): string {
    const hash = createHash("sha256").update(dir).digest("hex").slice(0, 16);
    return path.join(this.#directory, `${hash}.json`);
  }
}

/** Where the registry of this user is. KODOMOUNT_RUN_DIR overrides it. */
export function registryDirectory(around: Surroundings): string {
  const own = around.env["KODOMOUNT_RUN_DIR"];
  if (own?.startsWith("/")) return own;
  if (around.isRoot) return "/run/kodomount";
  const run = around.env["XDG_RUNTIME_DIR"];
  return run?.startsWith("/") ? path.join(run, "kodomount") : path.join(stateBase(around), "run");
}

/** Whether a process with that number runs, ours or not. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    // What is dead but was not waited for still has its number.
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}

/**
 * `dir` without symbolic links, as the registry has it. The last name is not looked behind: the mount there may be dead.
 */
export async function canonical(dir: string): Promise<string> {
  const absolute = path.resolve(dir);
  try {
    const target = await readlink(absolute);
    return await canonical(path.resolve(path.dirname(absolute), target));
  } catch (error) {
    // Not a link, not there, or a mount that does not answer: the name is what it is.
    if (errnoOf(error) === undefined) throw toError(error);
  }
  try {
    return path.join(await realpath(path.dirname(absolute)), path.basename(absolute));
  } catch {
    // A parent that is not there: nothing is mounted below it, and the caller finds that out.
    return absolute;
  }
}

async function readEntry(file: string): Promise<RegistryEntry | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toError(error);
  }
  return parseEntry(text);
}

function parseEntry(text: string): RegistryEntry | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(text);
  } catch {
    // Written by something else: as good as absent.
    return undefined;
  }
  if (typeof entry !== "object" || entry === null) return undefined;
  if (!("dir" in entry && "stateDir" in entry && "pid" in entry && "source" in entry))
    return undefined;
  const { dir, stateDir, pid, source } = entry;
  if (typeof dir !== "string" || typeof stateDir !== "string" || typeof source !== "string")
    return undefined;
  return typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0
    ? { dir, stateDir, pid, source }
    : undefined;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw toError(error);
  }
}
