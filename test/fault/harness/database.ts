// The catalog's LevelDB as a test wants it: it can be full, and after a loss of power its log ends somewhere behind what was
// last synced, as on a disk that had not written the rest yet.

import { readdirSync, statSync } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { closeDatabase, type Database, openDatabase } from "../../../src/catalog/mod.ts";
import type { Random } from "./random.ts";

export class TestDatabase {
  /** Uploads that the catalog knows, or has known: a loss of power may take that from it. */
  readonly uploads = new Set<string>();
  /** Parts of the spill, as `SAVE/PART.REV`, whose hash the catalog has: damage of the others cannot be seen by anybody. */
  readonly sealed = new Set<string>();
  #dir = "";
  #raw: Database | undefined;
  #syncedSizes = new Map<string, number>();
  /** So many batches fail, as many others go well before. */
  #full: { after: number; left: number } | undefined;
  fullCount = 0;

  fillUp(after: number, times: number): void {
    this.#full = { after, left: times };
  }

  /** To be given to the catalog. */
  readonly open = async (dir: string): Promise<Database> => {
    const raw = await openDatabase(dir);
    this.#dir = dir;
    this.#raw = raw;
    this.#noteSync();
    const batch = async (steps: readonly Step[], options: { sync?: boolean }) => {
      this.#check();
      for (const step of steps) this.#note(step);
      await raw.batch(steps as never, options as never);
      if (options.sync === true) this.#noteSync();
    };
    return new Proxy(raw, {
      get(target, name) {
        if (name === "batch") return batch;
        if (name === "close") return () => closeDatabase(raw);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };

  /** Who used it is dead. */
  async died(): Promise<void> {
    if (this.#raw !== undefined && this.#raw.status === "open") await closeDatabase(this.#raw);
  }

  /** Takes the end of the logs away, up to what was synced; who used it is dead. */
  async losePower(random: Random): Promise<void> {
    for (const name of await logsOf(this.#dir)) {
      const file = join(this.#dir, name);
      const synced = this.#syncedSizes.get(name) ?? 0;
      const { size } = await stat(file);
      if (size <= synced) continue;
      const cut = random.pick([synced, random.int(synced, size), size]);
      const handle = await open(file, "r+");
      await handle.truncate(cut);
      await handle.close();
    }
  }

  #note({ key = "", value = "" }: Step): void {
    if (key.startsWith("u/")) this.uploads.add(key.slice(key.indexOf("\0") + 1));
    const rev =
      /"rev":(\d+).*"sha256":"/.exec(value)?.[1] ?? /"sha256":".*"rev":(\d+)/.exec(value)?.[1];
    if (key.startsWith("p/") && rev !== undefined) this.sealed.add(`${key.slice(2)}.${rev}`);
  }

  #check(): void {
    if (this.#full === undefined) return;
    this.#full.after -= 1;
    if (this.#full.after >= 0 || this.#full.left === 0) return;
    this.#full.left -= 1;
    this.fullCount += 1;
    throw new Error("IO error: 000003.log: No space left on device");
  }

  #noteSync(): void {
    for (const name of readdirSync(this.#dir))
      if (name.endsWith(".log")) this.#syncedSizes.set(name, statSync(join(this.#dir, name)).size);
  }
}

/** Of a batch; deletions have no value. */
interface Step {
  readonly key?: string;
  readonly value?: string;
}

async function logsOf(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith(".log"));
}
