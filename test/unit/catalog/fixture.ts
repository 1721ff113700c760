// A catalog in a directory of its own, and one valid record of each kind.

import { join } from "node:path";
import { type Log, silentLog, systemClock } from "../../../src/base/mod.ts";
import { Catalog, type CatalogOptions, type Change } from "../../../src/catalog/mod.ts";
import {
  type Key,
  type SaveRecord,
  toEtag,
  toIno,
  toKey,
  toPartNumber,
  toRev,
  toSaveId,
  toSha256,
  toUploadId,
} from "../../../src/model/mod.ts";
import { tempDir } from "../../support/temp.ts";

export const SAVE = toSaveId("00000000000000a1");
export const UPLOAD = toUploadId("upload-1");
export const KEY: Key = toKey("dir/model.bin");
const ATTRIBUTES = { mode: 0o100644, uid: 1000, gid: 100, mtimeMs: 1_700_000_000_123.25 };
const PLAN = { tiers: [{ count: 4000, size: 8_388_608 }] };

export const SAVE_RECORD: SaveRecord = {
  id: SAVE,
  key: KEY,
  ino: toIno(7),
  base: { kind: "object", etag: toEtag('"old"'), size: 3 },
  attributes: ATTRIBUTES,
  size: 16_777_217,
  fsynced: true,
  state: { kind: "closed", size: 16_777_217, closedAt: 1_700_000_000_500, order: 12 },
};

/** One change of each kind that puts a record. */
export const PUTS: readonly Extract<Change, { put: string }>[] = [
  { put: "save", record: SAVE_RECORD },
  {
    put: "part",
    record: {
      save: SAVE,
      partNumber: toPartNumber(2),
      content: {
        kind: "spill",
        rev: toRev(3),
        size: 8_388_608,
        sha256: toSha256("ab".repeat(32)),
      },
    },
  },
  {
    put: "data",
    record: {
      save: SAVE,
      index: 1,
      rev: toRev(1),
      size: 5,
      offset: 0,
      bytes: Buffer.from("small"),
    },
  },
  {
    put: "upload",
    record: {
      key: KEY,
      uploadId: UPLOAD,
      token: "00000000000000a2",
      plan: PLAN,
      createdAt: 1_700_000_000_000,
      doubt: false,
    },
  },
  {
    put: "ack",
    record: {
      uploadId: UPLOAD,
      partNumber: toPartNumber(2),
      sha256: "ab".repeat(32),
      size: 8_388_608,
      etag: toEtag('"part"'),
    },
  },
  {
    put: "want",
    key: toKey("dir/new"),
    want: { kind: "copy", from: KEY, etag: toEtag('"old"'), size: 3, order: 13 },
  },
  {
    put: "object",
    record: {
      key: KEY,
      etag: toEtag('"old"'),
      size: 3,
      attributes: ATTRIBUTES,
      parts: [{ sha256: "cd".repeat(32), size: 3 }],
      plan: PLAN,
    },
  },
  { put: "abort", key: KEY, uploadId: toUploadId("upload-0") },
  { put: "reply", record: { unique: "42", reply: { ino: toIno(7), handle: 8 } } },
];

/** Opens the same directory again and again. */
export class Fixture implements AsyncDisposable {
  readonly dir: string;
  readonly warnings: string[] = [];
  readonly #temp: AsyncDisposable;
  readonly #open = new Set<Catalog>();

  private constructor(temp: AsyncDisposable & { path: string }) {
    this.#temp = temp;
    this.dir = join(temp.path, "catalog");
  }

  static async create(): Promise<Fixture> {
    return new Fixture(await tempDir("catalog"));
  }

  async open(options: Partial<CatalogOptions> = {}): Promise<Catalog> {
    const log: Log = { ...silentLog, warn: (_, message) => this.warnings.push(message) };
    const catalog = await Catalog.open({
      dir: this.dir,
      identity: { endpoint: "https://store", bucket: "mine", prefix: "" },
      log,
      clock: systemClock,
      bootId: "boot-1",
      ...options,
    });
    this.#open.add(catalog);
    return catalog;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const catalog of this.#open) await catalog.close().catch(() => undefined);
    await this.#temp[Symbol.asyncDispose]();
  }
}
