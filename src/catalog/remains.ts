// What can still be read of a catalog that nobody uses, for salvage and the doctor. LevelDB writes when it opens a
// directory, so a copy is opened: what is looked at stays as it is.

import { copyFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Level } from "level";
import { describe, errnoOf } from "../base/mod.ts";
import { type Key, toKey, toUploadId, type UploadId } from "../model/mod.ts";
import { decode } from "./codec.ts";
import { ABORTS, DATA, IDENTITY_KEY, PARTS, rangeOf, SAVES, UPLOADS } from "./keys.ts";
import {
  parseAbort,
  parseData,
  parseIdentity,
  parsePart,
  parseSave,
  parseUpload,
} from "./parse.ts";
import type { CatalogContents, Identity } from "./records.ts";

export interface Remains extends Pick<CatalogContents, "saves" | "parts" | "data" | "uploads"> {
  readonly identity: Identity | undefined;
  readonly aborts: readonly { readonly key: Key; readonly uploadId: UploadId }[];
  /** Keys of records that are not what was written. */
  readonly damaged: readonly string[];
}

/**
 * Records that are damaged are left out and named. What LevelDB itself steps over, the damaged end of a log, is not found.
 * @returns why not, when nothing can be read.
 */
export async function readRemains(dir: string): Promise<Remains | { readonly why: string }> {
  const copy = await mkdtemp(join(tmpdir(), "kodomount-catalog-"));
  try {
    await copyInto(copy, dir);
    const db = new Level<string, string>(copy, {
      keyEncoding: "utf8",
      valueEncoding: "utf8",
      createIfMissing: false,
    });
    await db.open();
    try {
      return await readAll(db);
    } finally {
      await db.close();
    }
  } catch (error) {
    const why = errnoOf(error) === "ENOENT" ? "there is no catalog" : describe(error);
    return { why };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** LevelDB's own files; its lock is of whoever uses the directory, and its `LOG` is talk. */
async function copyInto(copy: string, dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true }))
    if (entry.isFile() && !/^LO(CK|G|G\.old)$/.test(entry.name))
      await copyFile(join(dir, entry.name), join(copy, entry.name));
}

async function readAll(db: Level<string, string>): Promise<Remains> {
  const damaged: string[] = [];
  const read = async <T>(
    prefix: string,
    parse: (value: unknown, rest: string) => T,
  ): Promise<T[]> => {
    const records: T[] = [];
    for await (const [name, text] of db.iterator(rangeOf(prefix)))
      try {
        records.push(parse(decode(name, text), name.slice(prefix.length)));
      } catch {
        // Named below; the rest is what this is for.
        damaged.push(name);
      }
    return records;
  };
  const [identity] = await read(IDENTITY_KEY, parseIdentity);
  return {
    identity,
    saves: await read(SAVES, parseSave),
    parts: await read(PARTS, parsePart),
    data: await read(DATA, parseData),
    uploads: await read(UPLOADS, parseUpload),
    aborts: await read(ABORTS, (value, rest) => ({
      key: toKey(parseAbort(value)),
      uploadId: toUploadId(rest),
    })),
    damaged,
  };
}
