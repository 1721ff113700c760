// The catalog: what this machine owes the bucket, in LevelDB. Every promise is a record here before it is given.

import { type Clock, describe, invariant, type Log } from "../base/mod.ts";
import { type Key, toKey, toUploadId } from "../model/mod.ts";
import { toSteps } from "./changes.ts";
import { decode } from "./codec.ts";
import { closeDatabase, type Database, openDatabase } from "./database.ts";
import { isDamage, readFailure } from "./failures.ts";
import { Journal, type JournalStep } from "./journal.ts";
import {
  ABORTS,
  ACKS,
  DATA,
  OBJECTS,
  objectKey,
  PARTS,
  REPLIES,
  rangeOf,
  replyKey,
  SAVES,
  UPLOADS,
  WANTS,
} from "./keys.ts";
import { type Meta, nextNumber, readMeta, running, started, stopped } from "./meta.ts";
import { Numbers } from "./numbers.ts";
import {
  parseAbort,
  parseAck,
  parseData,
  parseObject,
  parsePart,
  parseReply,
  parseSave,
  parseUpload,
  parseWant,
} from "./parse.ts";
import { RecentReplies } from "./recent-replies.ts";
import type { CatalogContents, Change, Identity, ObjectRecord } from "./records.ts";

export interface CatalogOptions {
  readonly dir: string;
  readonly identity: Identity;
  readonly log: Log;
  readonly clock: Clock;
  /** Of the running kernel: after another one nothing that was not synced is believed. */
  readonly bootId: string;
  /** What opens LevelDB; tests put databases here that fill up, or end with the process they belong to. */
  readonly openDatabase?: typeof openDatabase;
}

export class Catalog {
  /** There was no catalog before. */
  readonly isNew: boolean;
  /** The last use of this directory was in this boot of the machine; also when there was none. */
  readonly sameBoot: boolean;
  /** The last use of this directory ended by `close`; also when there was none. */
  readonly cleanStop: boolean;
  readonly #db: Database;
  readonly #options: CatalogOptions;
  readonly #journal: Journal;
  readonly #numbers: Numbers;
  readonly #replies = new RecentReplies();
  #closed = false;
  #vouched = false;

  private constructor(db: Database, options: CatalogOptions, meta: Meta) {
    this.#db = db;
    this.#options = options;
    this.isNew = meta.isNew;
    this.sameBoot = meta.sameBoot;
    this.cleanStop = meta.cleanStop;
    this.#journal = new Journal(db, options);
    this.#numbers = new Numbers(meta.next, {
      log: options.log,
      recordLimit: (limit) => this.#journal.write(nextNumber(limit), true),
    });
  }

  /**
   * Opens the catalog of a state directory, or makes a new one.
   * @throws `Busy` (used by another process), `Config` (of another bucket, of a newer version, unreadable), `Corrupt`.
   */
  static async open(options: CatalogOptions): Promise<Catalog> {
    const { dir } = options;
    const db = await (options.openDatabase ?? openDatabase)(dir);
    try {
      const catalog = new Catalog(db, options, await readMeta(db, options));
      await catalog.#journal.write(started(options.identity), true);
      if (catalog.sameBoot || catalog.cleanStop) await catalog.vouch();
      await catalog.#numbers.fetch();
      await catalog.#noteReplies();
      return catalog;
    } catch (error) {
      await closeDatabase(db);
      throw readFailure(dir, error);
    }
  }

  /** Everything that is pending. @throws `Corrupt`, naming the record and the directory. */
  async contents(): Promise<CatalogContents> {
    try {
      return {
        saves: await this.#read(SAVES, (_, value) => parseSave(value)),
        parts: await this.#read(PARTS, (_, value) => parsePart(value)),
        data: await this.#read(DATA, (_, value) => parseData(value)),
        uploads: await this.#read(UPLOADS, (_, value) => parseUpload(value)),
        acks: await this.#read(ACKS, (_, value) => parseAck(value)),
        wants: await this.#read(WANTS, (rest, value) => ({
          key: toKey(rest),
          want: parseWant(value),
        })),
        aborts: await this.#read(ABORTS, (rest, value) => ({
          key: parseAbort(value),
          uploadId: toUploadId(rest),
        })),
        replies: await this.#read(REPLIES, (_, value) => parseReply(value)),
      };
    } catch (error) {
      throw readFailure(this.#options.dir, error);
    }
  }

  /**
   * One atomic batch, behind everything that was applied earlier.
   * @param options.sync it survives a loss of power when this resolves; otherwise within a second.
   * @throws `NoSpace`, `Io`; `Programmer` for a record that could not be read again.
   */
  async apply(changes: readonly Change[], options: { sync: boolean }): Promise<void> {
    invariant(!this.#closed, "the catalog is open while it is written to");
    const steps: JournalStep[] = [];
    for (const change of changes) {
      steps.push(...toSteps(change));
      if ("put" in change && change.put === "reply")
        steps.push(...this.#replies.add(replyKey(change.record.unique)));
    }
    if (steps.length > 0 || options.sync) await this.#journal.write(steps, options.sync);
  }

  /** Everything that was applied so far survives a loss of power when this resolves. */
  async syncNow(): Promise<void> {
    await this.apply([], { sync: true });
  }

  /** What this machine knows of the object at `key`. A damaged record is forgotten: it is a cache. */
  async findObject(key: Key): Promise<ObjectRecord | undefined> {
    try {
      const value = await this.#db.get(objectKey(key));
      return value === undefined ? undefined : await this.#object(objectKey(key), value);
    } catch (error) {
      throw readFailure(this.#options.dir, error);
    }
  }

  /** The same of many objects, in the order of `keys`. */
  async findObjects(keys: readonly Key[]): Promise<(ObjectRecord | undefined)[]> {
    const names = keys.map(objectKey);
    try {
      const values = await this.#db.getMany(names);
      return await Promise.all(
        names.map(async (name, index) => {
          const value = values[index];
          return value === undefined ? undefined : this.#object(name, value);
        }),
      );
    } catch (error) {
      throw readFailure(this.#options.dir, error);
    }
  }

  /** What this machine knows of the objects whose keys start with `prefix`, in the order of their keys. */
  async objectsBelow(prefix: Key): Promise<ObjectRecord[]> {
    const found: ObjectRecord[] = [];
    const range = { gte: objectKey(prefix), lt: rangeOf(OBJECTS).lt };
    try {
      for await (const [name, value] of this.#db.iterator(range)) {
        if (!name.startsWith(objectKey(prefix))) break;
        const record = await this.#object(name, value);
        if (record !== undefined) found.push(record);
      }
    } catch (error) {
      throw readFailure(this.#options.dir, error);
    }
    return found;
  }

  /**
   * What a loss of power may have damaged has been dealt with, durably: from now on this boot counts as the last one. Until
   * then a start that fails leaves the next one as careful as it was itself.
   */
  async vouch(): Promise<void> {
    if (this.#vouched) return;
    await this.#journal.write(running(this.#options.bootId), true);
    this.#vouched = true;
  }

  /** A number above 1 that was never given out before, not even before a crash. */
  allocate(): number {
    return this.#numbers.allocate();
  }

  /** An orderly end: what was not synced is. Asked again it does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#numbers.stop();
      if (this.#vouched) await this.#journal.write(stopped(this.#options.bootId), true);
    } finally {
      await this.#journal.stop();
      await closeDatabase(this.#db);
    }
  }

  /** All records of one kind. `parse` gets the key behind its prefix. */
  async #read<T>(prefix: string, parse: (rest: string, value: unknown) => T): Promise<T[]> {
    const records: T[] = [];
    for await (const [name, value] of this.#db.iterator(rangeOf(prefix)))
      records.push(parse(name.slice(prefix.length), decode(name, value)));
    return records;
  }

  async #object(name: string, value: string): Promise<ObjectRecord | undefined> {
    try {
      return parseObject(decode(name, value));
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#options.log.warn(
        { err: error, key: name },
        `What was known of an object is damaged and forgotten: ${describe(error)}`,
      );
      if (!this.#closed) await this.#journal.write([{ type: "del", key: name }], false);
      return undefined;
    }
  }

  async #noteReplies(): Promise<void> {
    const old: JournalStep[] = [];
    for (const key of await this.#db.keys(rangeOf(REPLIES)).all())
      old.push(...this.#replies.add(key));
    if (old.length > 0) await this.#journal.write(old, false);
  }
}
