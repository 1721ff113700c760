// Which files the cache on disk has, what they take and which were used last: its bound is held here.

import path from "node:path";
import { type Clock, errnoOf, groupsOf } from "../base/mod.ts";
import { FILE_NAME, TABLE_SIZE } from "./cache-file.ts";
import type { CacheIo } from "./cache-io.ts";
import type { Health } from "./health.ts";

export interface CacheFilesOptions {
  readonly dir: string;
  /** Bytes on the disk. */
  readonly size: number;
  readonly clock: Clock;
  readonly io: CacheIo;
  readonly health: Health;
  /** What is remembered of the file is not to be believed any more. */
  readonly onRemoved: (name: string) => void;
}

interface CacheFile {
  /** Bytes on the disk. */
  readonly size: number;
  /** When the disk was told last that it is used, milliseconds of the wall clock. */
  toldMs: number;
}

/** Each takes some 200 bytes of memory; full ones are 2 TB. */
const FILES_MAX = 250_000;
/** When a file was used is told to the disk this often. */
const TOUCH_MS = 60_000;
const STATS_AT_ONCE = 64;

export class CacheFiles {
  readonly #options: CacheFilesOptions;
  /** INVARIANT: the one that was used longest ago comes first; complete when the directory has been looked through. */
  #files = new Map<string, CacheFile>();
  /** Bytes of all of them. */
  #used = 0;
  #isComplete = false;

  constructor(options: CacheFilesOptions) {
    this.#options = options;
  }

  get used(): number {
    return this.#used;
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  pathOf(name: string): string {
    return path.join(this.#options.dir, name);
  }

  /**
   * So many more bytes are to be written to it, for which room is made: what was used longest ago goes. It counts at once,
   * since many write at the same time.
   */
  async reserve(name: string, bytes: number): Promise<void> {
    const known = this.#files.get(name);
    const more = known === undefined ? TABLE_SIZE + bytes : bytes;
    this.#used += more;
    const toldMs = known?.toldMs ?? this.#options.clock.now();
    this.#setLast(name, { size: (known?.size ?? 0) + more, toldMs });
    await this.#makeRoom();
  }

  /** It was used just now; the disk is told so that the next mount knows, too. */
  touch(name: string): void {
    const file = this.#files.get(name);
    if (file === undefined) return;
    this.#setLast(name, file);
    const now = this.#options.clock.now();
    if (now - file.toldMs < TOUCH_MS) return;
    file.toldMs = now;
    const at = new Date(now);
    this.#options.io.utimes(this.pathOf(name), at, at).catch(() => {
      // It may have been removed meanwhile, and a disk that fails is noticed by who reads.
    });
  }

  async remove(name: string): Promise<void> {
    const { io, health, onRemoved } = this.#options;
    onRemoved(name);
    this.#used -= this.#files.get(name)?.size ?? 0;
    this.#files.delete(name);
    try {
      await io.unlink(this.pathOf(name));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") health.failed(error);
    }
  }

  /** Looks which files earlier mounts have left. The bound is held from then on. */
  async scan(): Promise<void> {
    const { dir, io, health } = this.#options;
    try {
      await io.mkdir(dir, { recursive: true, mode: 0o700 });
      const names = (await io.readdir(dir)).filter((name) => FILE_NAME.test(name));
      const found: [string, CacheFile][] = [];
      for (const some of groupsOf(names, STATS_AT_ONCE))
        found.push(...(await Promise.all(some.map((name) => this.#look(name)))).flat());
      found.sort(([, a], [, b]) => a.toldMs - b.toldMs);
      // What was used while it was looked through is newer than all of them.
      const since = this.#files;
      this.#files = new Map([...found.filter(([name]) => !since.has(name)), ...since]);
      this.#used = [...this.#files.values()].reduce((sum, { size }) => sum + size, 0);
      this.#isComplete = true;
      await this.#makeRoom();
    } catch (error) {
      health.failed(error);
    }
  }

  #setLast(name: string, file: CacheFile): void {
    this.#files.delete(name);
    this.#files.set(name, file);
  }

  async #makeRoom(): Promise<void> {
    if (!this.#isComplete) return;
    while (this.#used > this.#options.size || this.#files.size > FILES_MAX) {
      const [oldest] = this.#files.keys();
      if (oldest === undefined) return;
      await this.remove(oldest);
    }
  }

  async #look(name: string): Promise<[string, CacheFile][]> {
    try {
      const { blocks, mtimeMs } = await this.#options.io.stat(this.pathOf(name));
      return [[name, { size: blocks * 512, toldMs: mtimeMs }]];
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }
}
