// The catalog: what this machine owes the bucket, in LevelDB. Every promise is a record here before it is given.

import { Level } from "level";
import { type Clock, describe, errnoOf, invariant, KodomountError, type Log } from "../base/mod.ts";
import type { Key } from "../model/mod.ts";
import { decode, encode, SCHEMA_VERSION } from "./codec.ts";
import {
  abortKey,
  ackKey,
  ackPrefix,
  after,
  BOOT_KEY,
  HEARTBEAT_KEY,
  IDENTITY_KEY,
  keyOfPut,
  NEXT_KEY,
  objectKey,
  partKey,
  partPrefix,
  SCHEMA_KEY,
  saveKey,
  uploadKey,
  wantKey,
} from "./keys.ts";
import { parseContents, parseIdentity, parseObject } from "./parse.ts";
import type { CatalogContents, Change, Identity, ObjectRecord } from "./records.ts";

export interface CatalogOptions {
  readonly dir: string;
  readonly identity: Identity;
  readonly log: Log;
  readonly clock: Clock;
  /** Of the running kernel: after another one nothing that was not synced is believed. */
  readonly bootId: string;
}

type Operation = { type: "put"; key: string; value: string } | { type: "del"; key: string };

/** Acknowledgements may be lost for this long in a loss of power, no longer. */
const HEARTBEAT_MS = 1000;
/** Numbers are taken from the catalog in blocks, so that giving one out costs nothing. */
const NUMBERS_A_BLOCK = 65_536;
const REPLIES_MAX = 4096;

export class Catalog {
  readonly #db: Level<string, string>;
  readonly #options: CatalogOptions;
  /** The last use of this directory was in this boot of the machine, or ended orderly. */
  readonly sameBoot: boolean;
  readonly cleanStop: boolean;
  /** There was no catalog before. */
  readonly isNew: boolean;
  #next: number;
  #limit: number;
  #dirty = false;
  #cancelHeartbeat: (() => void) | undefined;
  #closed = false;

  private constructor(
    db: Level<string, string>,
    options: CatalogOptions,
    found: { boot: unknown; next: number; isNew: boolean },
  ) {
    this.#db = db;
    this.#options = options;
    const boot = found.boot as { id?: string; clean?: boolean } | undefined;
    this.isNew = found.isNew;
    this.sameBoot = boot === undefined || boot.id === options.bootId;
    this.cleanStop = boot === undefined || boot.clean === true;
    this.#next = found.next;
    this.#limit = found.next;
  }

  /**
   * Opens the catalog of a state directory, or makes a new one.
   * @throws `Busy` (used by another process), `Config` (of another bucket, of a newer version, unreadable), `Corrupt`.
   */
  static async open(options: CatalogOptions): Promise<Catalog> {
    const db = new Level<string, string>(options.dir, { valueEncoding: "utf8" });
    try {
      await db.open();
    } catch (error) {
      throw openError(options.dir, error);
    }
    try {
      const catalog = await load(db, options, (found) => new Catalog(db, options, found));
      await catalog.#write([put(BOOT_KEY, { id: options.bootId, clean: false })], true);
      await catalog.#extend();
      return catalog;
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  /** Everything that is pending. @throws `Corrupt`: never repaired here, since LevelDB's repair brings back what was deleted. */
  async contents(): Promise<CatalogContents> {
    const entries = new Map<string, unknown>();
    for (const prefix of ["s/", "p/", "u/", "a/", "n/", "x/", "r/"])
      for await (const [key, value] of this.#db.iterator({ gte: prefix, lt: after(prefix) }))
        entries.set(key, this.#decode(key, value));
    await this.#prune([...entries.keys()].filter((key) => key.startsWith("r/")));
    return parseContents(entries);
  }

  /** One atomic batch. `sync`: it survives a loss of power when this resolves. */
  async apply(changes: readonly Change[], options: { sync: boolean }): Promise<void> {
    const operations: Operation[] = [];
    for (const change of changes) operations.push(...(await this.#operations(change)));
    if (operations.length > 0 || options.sync) await this.#write(operations, options.sync);
  }

  /** Everything that was applied so far survives a loss of power. */
  async syncNow(): Promise<void> {
    await this.#write([put(HEARTBEAT_KEY, this.#options.clock.now())], true);
  }

  /** What this machine knows of the object at `key`. A damaged record is dropped: it is a cache. */
  async findObject(key: Key): Promise<ObjectRecord | undefined> {
    const name = objectKey(key);
    const value = await this.#db.get(name);
    if (value === undefined) return undefined;
    try {
      return parseObject(decode(name, value));
    } catch (error) {
      this.#options.log.warn(
        { key, err: error },
        `What was known of ${key} is damaged and forgotten: ${describe(error)}`,
      );
      await this.#write([{ type: "del", key: name }], false);
      return undefined;
    }
  }

  /** The next number that was never given out before. */
  allocate(): number {
    invariant(this.#next < this.#limit, "numbers are fetched ahead");
    const number = this.#next;
    this.#next += 1;
    if (this.#limit - this.#next === NUMBERS_A_BLOCK / 2)
      this.#extend().catch((error: unknown) =>
        this.#options.log.error(
          { err: error },
          `The catalog cannot be written: ${describe(error)}`,
        ),
      );
    return number;
  }

  /** An orderly end: what was not synced is. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelHeartbeat?.();
    await this.#write([put(BOOT_KEY, { id: this.#options.bootId, clean: true })], true);
    await this.#db.close();
  }

  async #operations(change: Change): Promise<Operation[]> {
    if ("put" in change) {
      const value =
        "record" in change
          ? change.record
          : change.put === "want"
            ? change.want
            : { key: change.key };
      return [put(keyOfPut(change), value)];
    }
    switch (change.del) {
      case "save":
        return [del(saveKey(change.id))];
      case "part":
        return [del(partKey(change.save, change.partNumber))];
      case "parts":
        return this.#deleteAll(partPrefix(change.save));
      case "upload":
        return [
          del(uploadKey(change.key, change.uploadId)),
          ...(await this.#deleteAll(ackPrefix(change.uploadId))),
        ];
      case "ack":
        return [del(ackKey(change.uploadId, change.partNumber))];
      case "want":
        return [del(wantKey(change.key))];
      case "object":
        return [del(objectKey(change.key))];
      case "abort":
        return [del(abortKey(change.uploadId))];
    }
  }

  async #deleteAll(prefix: string): Promise<Operation[]> {
    const keys = await this.#db.keys({ gte: prefix, lt: after(prefix) }).all();
    return keys.map(del);
  }

  async #write(operations: Operation[], sync: boolean): Promise<void> {
    try {
      await this.#db.batch(operations, { sync } as object);
    } catch (error) {
      throw writeError(this.#options.dir, error);
    }
    this.#dirty = sync ? false : this.#dirty || operations.length > 0;
    if (this.#dirty && this.#cancelHeartbeat === undefined && !this.#closed)
      this.#cancelHeartbeat = this.#options.clock.after(HEARTBEAT_MS, () => this.#heartbeat());
  }

  #heartbeat(): void {
    this.#cancelHeartbeat = undefined;
    if (!this.#dirty || this.#closed) return;
    this.syncNow().catch((error: unknown) =>
      this.#options.log.error({ err: error }, `The catalog cannot be synced: ${describe(error)}`),
    );
  }

  async #extend(): Promise<void> {
    const limit = this.#limit + NUMBERS_A_BLOCK;
    await this.#write([put(NEXT_KEY, limit)], true);
    this.#limit = limit;
  }

  #decode(key: string, value: string): unknown {
    try {
      return decode(key, value);
    } catch (error) {
      const advice = `move ${this.#options.dir} aside; 'kodomount salvage' gets the content out of the spill beside it`;
      throw new KodomountError("Corrupt", `${describe(error)}: ${advice}`, { cause: error });
    }
  }

  async #prune(replies: readonly string[]): Promise<void> {
    const old = replies.slice(0, Math.max(0, replies.length - REPLIES_MAX));
    if (old.length > 0) await this.#write(old.map(del), false);
  }
}

async function load<T>(
  db: Level<string, string>,
  options: CatalogOptions,
  make: (found: { boot: unknown; next: number; isNew: boolean }) => T,
): Promise<T> {
  const read = async (key: string): Promise<unknown> => {
    const value = await db.get(key);
    return value === undefined ? undefined : decode(key, value);
  };
  const schemaText = await db.get(SCHEMA_KEY);
  const version = schemaText === undefined ? SCHEMA_VERSION : Number(schemaText);
  if (version !== SCHEMA_VERSION)
    throw new KodomountError(
      "Config",
      `The state directory ${options.dir} is of version ${version}, this program knows ${SCHEMA_VERSION}: use a newer program or another '--state-dir'`,
    );
  const identity = await read(IDENTITY_KEY);
  if (identity === undefined)
    await db.batch([
      { type: "put", key: SCHEMA_KEY, value: String(SCHEMA_VERSION) },
      put(IDENTITY_KEY, options.identity),
    ]);
  else assertSame(options, parseIdentity(identity));
  return make({
    boot: await read(BOOT_KEY),
    next: Number((await read(NEXT_KEY)) ?? 2),
    isNew: identity === undefined,
  });
}

function assertSame(options: CatalogOptions, found: Identity): void {
  const text = ({ endpoint, bucket, prefix }: Identity): string =>
    `${bucket}/${prefix} at ${endpoint}`;
  if (text(found) !== text(options.identity))
    throw new KodomountError(
      "Config",
      `The state directory ${options.dir} belongs to ${text(found)}, not to ${text(options.identity)}: use another '--state-dir'`,
    );
}

function put(key: string, record: unknown): Operation & { type: "put" } {
  return { type: "put", key, value: encode(record) };
}

function del(key: string): Operation {
  return { type: "del", key };
}

function openError(dir: string, error: unknown): KodomountError {
  const text = describe(error);
  if (/LOCK|lock/.test(text) && !/Permission/.test(text))
    return new KodomountError(
      "Busy",
      `The state directory ${dir} is in use by another process: is this bucket mounted already?`,
      { cause: error },
    );
  if (/orruption/.test(text))
    return new KodomountError(
      "Corrupt",
      `The catalog in ${dir} is damaged: move it aside; 'kodomount salvage' gets the content out of the spill beside it`,
      { cause: error },
    );
  return new KodomountError("Config", `The state directory ${dir} cannot be opened: ${text}`, {
    cause: error,
  });
}

function writeError(dir: string, error: unknown): KodomountError {
  const text = describe(error);
  const full = errnoOf(error) === "ENOSPC" || /No space left/.test(text);
  return new KodomountError(
    full ? "NoSpace" : "Io",
    `The catalog in ${dir} cannot be written: ${text}`,
    { cause: error },
  );
}
