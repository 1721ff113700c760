// The unfinished multipart uploads of one bucket: a directory each, with a record a part.

import { randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import type { Blobs, Slice } from "./blobs.ts";
import { readAllJson, removeFile, writeJson } from "./json-file.ts";
import type { Properties } from "./objects.ts";
import { Refusal } from "./refusal.ts";

interface UploadRecord extends Properties {
  readonly uploadId: string;
  readonly key: string;
  readonly createdMs: number;
}

export interface PartRecord {
  readonly partNumber: number;
  readonly etag: string;
  readonly size: number;
  readonly lastModifiedMs: number;
  readonly slices: readonly Slice[];
}

export interface Upload extends UploadRecord {
  /** By number, in any order. */
  readonly parts: ReadonlyMap<number, PartRecord>;
}

interface Held {
  readonly record: UploadRecord;
  readonly parts: Map<number, PartRecord>;
}

/** The file of an upload's own record, beside those of its parts. */
const HEAD = "upload";

export class Uploads {
  readonly #dir: string;
  readonly #blobs: Blobs;
  readonly #lifeMs: number;
  readonly #held = new Map<string, Held>();

  private constructor(dir: string, blobs: Blobs, lifeMs: number) {
    this.#dir = dir;
    this.#blobs = blobs;
    this.#lifeMs = lifeMs;
  }

  /** What the directory holds, without uploads in `over`, which have become objects. */
  static async open(
    dir: string,
    blobs: Blobs,
    options: { lifeMs: number; over: ReadonlySet<string> },
  ): Promise<Uploads> {
    const uploads = new Uploads(dir, blobs, options.lifeMs);
    for (const uploadId of await fs.readdir(dir)) {
      const records = await readAllJson(path.join(dir, uploadId));
      const head = records.get(HEAD);
      // Killed while it was made or removed: then its record is absent, and nobody knows of it.
      if (head === undefined || options.over.has(uploadId)) {
        await fs.rm(path.join(dir, uploadId), { recursive: true });
        continue;
      }
      records.delete(HEAD);
      const parts = [...records.values()].map((value) => value as PartRecord);
      for (const part of parts) blobs.retain(part.slices);
      uploads.#held.set(uploadId, {
        record: head as UploadRecord,
        parts: new Map(parts.map((part) => [part.partNumber, part])),
      });
    }
    return uploads;
  }

  /** All that are still alive, oldest first. */
  async list(nowMs: number): Promise<Upload[]> {
    for (const uploadId of [...this.#held.keys()]) await this.#expire(uploadId, nowMs);
    return [...this.#held.values()]
      .map(toUpload)
      .toSorted((a, b) => a.createdMs - b.createdMs || a.key.localeCompare(b.key));
  }

  async create(key: string, properties: Properties, nowMs: number): Promise<string> {
    const uploadId = randomBytes(24).toString("base64url");
    const record = { ...properties, uploadId, key, createdMs: nowMs };
    await fs.mkdir(path.join(this.#dir, uploadId));
    await writeJson(path.join(this.#dir, uploadId, HEAD), record);
    this.#held.set(uploadId, { record, parts: new Map() });
    return uploadId;
  }

  /** @throws `NoSuchUpload` when it never was, is over, or has outlived its time. */
  async get(key: string, uploadId: string, nowMs: number): Promise<Upload> {
    await this.#expire(uploadId, nowMs);
    return toUpload(this.#find(key, uploadId));
  }

  /** Adds or replaces a part. Takes over one reference to each of its slices; one call at a time. */
  async putPart(key: string, uploadId: string, part: PartRecord): Promise<void> {
    const { parts } = this.#find(key, uploadId);
    const former = parts.get(part.partNumber);
    await writeJson(path.join(this.#dir, uploadId, String(part.partNumber)), part);
    parts.set(part.partNumber, part);
    if (former !== undefined) await this.#blobs.release(former.slices);
  }

  /** Forgets an upload and gives up its parts; one that is not there is forgotten already. */
  async drop(uploadId: string): Promise<void> {
    const held = this.#held.get(uploadId);
    if (held === undefined) return;
    this.#held.delete(uploadId);
    const dir = path.join(this.#dir, uploadId);
    await removeFile(path.join(dir, HEAD));
    await fs.rm(dir, { recursive: true });
    for (const part of held.parts.values()) await this.#blobs.release(part.slices);
  }

  #find(key: string, uploadId: string): Held {
    const held = this.#held.get(uploadId);
    if (held === undefined || held.record.key !== key)
      throw new Refusal("NoSuchUpload", "The upload does not exist, is over, or has expired");
    return held;
  }

  async #expire(uploadId: string, nowMs: number): Promise<void> {
    const held = this.#held.get(uploadId);
    if (held !== undefined && nowMs - held.record.createdMs >= this.#lifeMs)
      await this.drop(uploadId);
  }
}

function toUpload({ record, parts }: Held): Upload {
  return { ...record, parts };
}
