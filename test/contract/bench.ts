// What the tests of the contract share: the subject, its store, and short forms of requests.

import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { codeOf } from "../../src/base/mod.ts";
import {
  type Etag,
  type Key,
  type PartNumber,
  type ProviderProfile,
  type Sha256,
  toKey,
  toPartNumber,
  toSha256,
  type UploadId,
} from "../../src/model/mod.ts";
import type { Body, HeldPart, ObjectStore, StoreOptions } from "../../src/store/mod.ts";
import type { TempDir } from "../support/temp.ts";

/** What is tested. */
export interface Subject extends AsyncDisposable {
  readonly profile: ProviderProfile;
  /** How this server differs from what S3 does; the contract leaves both open. */
  readonly quirks?: {
    /** A complete that does not name every part that is held is BadPart. */
    readonly wantsEveryPart?: boolean;
    /** Completing an aborted upload is answered with an InternalError. */
    readonly failsAfterAbort?: boolean;
  };
  /** Stores of the same bucket, closed by the suite. */
  open(change?: Partial<StoreOptions>): ObjectStore;
}

export const METADATA = {
  mode: "33188",
  "kodomount-save": "0123456789abcdef",
  mtime: "1.500000000",
};

export function hashOf(bytes: Uint8Array): Sha256 {
  return toSha256(createHash("sha256").update(bytes).digest("hex"));
}

/** The code that a request is rejected with, or `accepted`. */
export async function rejection(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
    return "accepted";
  } catch (error) {
    return codeOf(error);
  }
}

/** What the tests of one subject share: its store, and short forms of requests. */
export class Bench {
  readonly subject: Subject;
  readonly store: ObjectStore;
  readonly #temp: TempDir;

  constructor(subject: Subject, temp: TempDir) {
    this.subject = subject;
    this.#temp = temp;
    this.store = subject.open();
  }

  /** Bytes of the smallest part that is not the last. */
  get partSize(): number {
    return this.subject.profile.partSizeMin;
  }

  put(key: string, content: string | Uint8Array, metadata = {}): Promise<{ etag: Etag }> {
    const bytes = Buffer.from(content);
    const body = { kind: "bytes", bytes } as const;
    return this.store.put({ key: toKey(key), body, sha256: hashOf(bytes), metadata });
  }

  async read(key: string, store = this.store): Promise<string> {
    return (await store.get({ key: toKey(key) })).bytes.toString();
  }

  async fileOf(bytes: Uint8Array): Promise<Body> {
    const file = path.join(this.#temp.path, randomBytes(8).toString("hex"));
    await fs.writeFile(file, bytes);
    return { kind: "file", path: file, size: bytes.length };
  }

  async upload(key: string, metadata = {}): Promise<UploadId> {
    return (await this.store.createUpload({ key: toKey(key), metadata })).uploadId;
  }

  async sendPart(
    key: string,
    uploadId: UploadId,
    number: number,
    bytes: Uint8Array,
  ): Promise<Sent> {
    const partNumber = toPartNumber(number);
    const body = { kind: "bytes", bytes } as const;
    const request = { key: toKey(key), uploadId, partNumber, body, sha256: hashOf(bytes) };
    return { partNumber, etag: (await this.store.uploadPart(request)).etag };
  }

  complete(key: string, uploadId: UploadId, parts: readonly Sent[]): Promise<void> {
    return this.store.complete({ key: toKey(key), uploadId, parts });
  }

  parts(key: string, uploadId: UploadId): Promise<HeldPart[]> {
    return this.store.listParts({ key: toKey(key), uploadId });
  }

  /** All pages of a listing; prefixes may be repeated on later pages. */
  async list(
    prefix: string,
    delimiter: boolean,
    limit?: number,
  ): Promise<{ keys: Key[]; prefixes: Key[]; pageCount: number }> {
    const keys: Key[] = [];
    const prefixes = new Set<Key>();
    let token: string | undefined;
    let pageCount = 0;
    do {
      const page = await this.store.list({ prefix: toKey(prefix), delimiter, token, limit });
      keys.push(...page.objects.map(({ key }) => key));
      for (const one of page.prefixes) prefixes.add(one);
      token = page.token;
      pageCount += 1;
    } while (token !== undefined);
    return { keys, prefixes: [...prefixes], pageCount };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.store.close();
    await this.#temp[Symbol.asyncDispose]();
    await this.subject[Symbol.asyncDispose]();
  }
}

export interface Sent {
  readonly partNumber: PartNumber;
  readonly etag: Etag;
}
