// Watches a bucket from the outside while programs save into it: reads each version of each object that shows, straight
// from the store.

import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { KodomountError, systemClock } from "../../../src/base/mod.ts";
import type { Emulator } from "../../../src/emulator/mod.ts";
import type { Versions } from "./case.ts";

/** Between two looks. What lives shorter than this may be missed: names are also found in the log of requests. */
const LOOK_EVERY_MS = 5;

export interface Seen {
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
  /** Where its bytes are kept. */
  readonly file: string;
}

export class Watcher {
  readonly #emulator: Emulator;
  readonly #bucket: string;
  readonly #dir: string;
  readonly #seen = new Map<string, Seen>();
  readonly #stop = new AbortController();
  #looking: Promise<void> = Promise.resolve();

  constructor(emulator: Emulator, bucket: string, dir: string) {
    this.#emulator = emulator;
    this.#bucket = bucket;
    this.#dir = dir;
  }

  async start(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    this.#looking = this.#watch();
    // Its end is awaited in `stop`, which throws what it threw.
    this.#looking.catch(() => undefined);
  }

  /** All versions that were seen, among them those that are there now. */
  async stop(): Promise<Seen[]> {
    this.#stop.abort();
    await this.#looking;
    await this.#look();
    return [...this.#seen.values()];
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#look();
      // Ends early, by a rejection, when it is to stop.
      await systemClock.sleep(LOOK_EVERY_MS, this.#stop.signal).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    for (const { key, etag } of this.#emulator.objects(this.#bucket)) {
      const version = `${key}\0${etag}`;
      if (this.#seen.has(version)) continue;
      const seen = await this.#read(key);
      if (seen !== undefined) this.#seen.set(version, seen);
    }
  }

  async #read(key: string): Promise<Seen | undefined> {
    let bytes: Buffer;
    try {
      bytes = await buffer(this.#emulator.read(this.#bucket, key));
    } catch (error) {
      if (error instanceof KodomountError && error.code === "NotFound") return undefined;
      throw error;
    }
    const file = join(this.#dir, randomUUID());
    await writeFile(file, bytes);
    return { key, size: bytes.length, sha256: sha256Of(bytes), file };
  }
}

/** Which of the versions that were seen are neither there at the end, nor whole files of `closed`, nor allowed. */
export async function tornOf(
  seen: readonly Seen[],
  finals: ReadonlyMap<string, Buffer>,
  allowed: { readonly closed: ReadonlySet<string>; readonly versions: readonly Versions[] },
): Promise<string[]> {
  const whole = new Set([...finals.values()].map(sha256Of));
  const torn: string[] = [];
  for (const { key, size, sha256, file } of seen) {
    if (size === 0 || whole.has(sha256) || allowed.closed.has(sha256)) continue;
    const bytes = await readFile(file);
    const final = finals.get(key) ?? Buffer.alloc(0);
    const fine = allowed.versions.some((v) => v.key.test(key) && v.accepts(bytes, final));
    if (!fine) torn.push(`${key} with ${size} bytes`);
  }
  return torn;
}

export function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
