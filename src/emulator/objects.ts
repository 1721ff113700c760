// The objects of one bucket: a record a file on disk, all of them in memory, keys in the order of listings.

import { createHash } from "node:crypto";
import path from "node:path";
import type { Restored } from "./archive.ts";
import { type Blobs, type Slice, sizeOf } from "./blobs.ts";
import { readAllJson, removeFile, writeJson } from "./json-file.ts";
import { SortedKeys } from "./sorted-keys.ts";

/** What a client says of an object beside its bytes. */
export interface Properties {
  /** Lower-case names without `x-amz-meta-`. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly storageClass: string;
}

export interface ObjectRecord extends Properties {
  readonly key: string;
  readonly etag: string;
  readonly size: number;
  readonly lastModifiedMs: number;
  readonly slices: readonly Slice[];
  /** The multipart upload that became this object: tells after a kill that the upload is over. */
  readonly fromUpload?: string;
  /** Of an archive class: it was asked for. */
  readonly restored?: Restored;
}

export class Objects {
  readonly #dir: string;
  readonly #blobs: Blobs;
  readonly #records = new Map<string, ObjectRecord>();
  readonly #keys = new SortedKeys();

  private constructor(dir: string, blobs: Blobs) {
    this.#dir = dir;
    this.#blobs = blobs;
  }

  /** What the directory holds. */
  static async open(dir: string, blobs: Blobs): Promise<Objects> {
    const objects = new Objects(dir, blobs);
    for (const value of (await readAllJson(dir)).values()) {
      const record = value as ObjectRecord;
      objects.#records.set(record.key, record);
      blobs.retain(record.slices);
    }
    objects.#keys.reset(objects.#records.keys());
    return objects;
  }

  get keys(): SortedKeys {
    return this.#keys;
  }

  find(key: string): ObjectRecord | undefined {
    return this.#records.get(key);
  }

  /** All of them in the order of keys. */
  *[Symbol.iterator](): Generator<ObjectRecord> {
    for (const key of this.#keys) {
      const record = this.#records.get(key);
      if (record !== undefined) yield record;
    }
  }

  /** Makes or replaces an object. Takes over one reference to each of its slices; one call at a time. */
  async put(record: Omit<ObjectRecord, "size">): Promise<void> {
    const { key } = record;
    const former = this.#records.get(key);
    const full = { ...record, size: sizeOf(record.slices) };
    await writeJson(this.#fileOf(key), full);
    this.#records.set(key, full);
    this.#keys.add(key);
    if (former !== undefined) await this.#blobs.release(former.slices);
  }

  /** The same object, of which something else is known. One call at a time. */
  async note(record: ObjectRecord): Promise<void> {
    await writeJson(this.#fileOf(record.key), record);
    this.#records.set(record.key, record);
  }

  /** Deleting what is not there succeeds. One call at a time. */
  async delete(key: string): Promise<void> {
    const former = this.#records.get(key);
    if (former === undefined) return;
    await removeFile(this.#fileOf(key));
    this.#records.delete(key);
    this.#keys.delete(key);
    await this.#blobs.release(former.slices);
  }

  /** A key may be longer than a file name. */
  #fileOf(key: string): string {
    return path.join(this.#dir, createHash("sha256").update(key).digest("hex"));
  }
}
