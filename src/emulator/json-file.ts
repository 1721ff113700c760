// Records on disk: a JSON document a file, replaced by rename, so that a killed server leaves the old or the new one.

import { randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { errnoOf, KodomountError } from "../base/mod.ts";

const TEMPORARY = ".tmp";

/** Replaces the file at `file`; nobody ever sees half of it. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}${TEMPORARY}`;
  await fs.writeFile(temporary, JSON.stringify(value));
  await fs.rename(temporary, file);
}

/** Every record of a directory, by file name. Leftovers of a killed server are removed. */
export async function readAllJson(dir: string): Promise<Map<string, unknown>> {
  const names = await fs.readdir(dir);
  const records = new Map<string, unknown>();
  for (let at = 0; at < names.length; at += 64) {
    await Promise.all(
      names.slice(at, at + 64).map(async (name) => {
        const file = path.join(dir, name);
        if (name.endsWith(TEMPORARY)) return fs.rm(file);
        records.set(name, parse(file, await fs.readFile(file, "utf8")));
      }),
    );
  }
  return records;
}

/** Removing what is not there succeeds. */
export async function removeFile(file: string): Promise<void> {
  try {
    await fs.unlink(file);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new KodomountError("Corrupt", `Cannot read ${file}`, { cause: error });
  }
}
