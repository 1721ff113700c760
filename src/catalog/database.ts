// Opens and closes LevelDB: the one file that makes it.

import { mkdir, open as openFile, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { Level } from "level";
import { inUse, openFailure } from "./failures.ts";
import { checkLogs } from "./log-check.ts";

export type Database = Level<string, string>;

/**
 * Directories that this process has open. LevelDB refuses to open one twice too, but loses its lock on the first use by
 * that: closing any descriptor of a file gives up all of the process's POSIX locks on it.
 */
const OPEN = new Map<string, Database | undefined>();

/** @throws `Busy`, `Config`, `Corrupt`. */
export async function openDatabase(dir: string): Promise<Database> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await syncDirectory(dirname(dir));
    const place = await realpath(dir);
    if (OPEN.has(place)) throw inUse(dir, process.pid);
    OPEN.set(place, undefined);
    try {
      const db = await openChecked(dir);
      OPEN.set(place, db);
      return db;
    } catch (error) {
      OPEN.delete(place);
      throw error;
    }
  } catch (error) {
    throw await openFailure(dir, error);
  }
}

export async function closeDatabase(db: Database): Promise<void> {
  await db.close();
  for (const [place, open] of OPEN) if (open === db) OPEN.delete(place);
}

async function openChecked(dir: string): Promise<Database> {
  await checkLogs(dir);
  // It begins to open when it is made: not before the logs were looked at.
  const db: Database = new Level(dir, { keyEncoding: "utf8", valueEncoding: "utf8" });
  await db.open();
  return db;
}

/** A directory that was made just now is not there after a loss of power unless its parent was synced. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await openFile(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
