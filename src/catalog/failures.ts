// What LevelDB says when it cannot be opened or read, in our words.

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, errnoOf, KodomountError, toError } from "../base/mod.ts";

/** The error for a catalog that cannot be opened. */
export async function openFailure(dir: string, error: unknown): Promise<KodomountError> {
  if (error instanceof KodomountError) return isDamage(error) ? corrupt(dir, error) : error;
  const cause = toError(error).cause;
  const code = errnoOf(cause);
  if (code === "LEVEL_LOCKED") return inUse(dir, await findHolder(dir), error);
  if (code === "LEVEL_CORRUPTION") return corrupt(dir, error);
  return new KodomountError(
    "Config",
    `The state directory ${dir} cannot be opened: ${describe(cause ?? error)}`,
    { cause: error },
  );
}

/** The error for a catalog that somebody else has open; `holder` is a process, if it is known. */
export function inUse(dir: string, holder: number | undefined, cause?: unknown): KodomountError {
  const who = holder === undefined ? "another process" : `process ${holder}`;
  return new KodomountError(
    "Busy",
    `The state directory ${dir} is in use by ${who}: is this bucket mounted already?`,
    { cause },
  );
}

/** The error for records that cannot be read. */
export function readFailure(dir: string, error: unknown): KodomountError {
  if (isDamage(error)) return corrupt(dir, error);
  if (error instanceof KodomountError) return error;
  return new KodomountError("Io", `The catalog in ${dir} cannot be read: ${describe(error)}`, {
    cause: error,
  });
}

/** Whether `error` says that what was read is not what was written. */
export function isDamage(error: unknown): boolean {
  if (error instanceof KodomountError) return error.code === "Corrupt";
  return errnoOf(error) === "LEVEL_CORRUPTION";
}

/** Never repaired by us: LevelDB's repair brings back what was deleted, and drops what it cannot read. */
function corrupt(dir: string, error: unknown): KodomountError {
  return new KodomountError(
    "Corrupt",
    `The catalog in ${dir} is damaged (${describe(error)}): move this directory aside and use 'kodomount salvage', which gets the content out of the spill beside it`,
    { cause: error },
  );
}

/** Who uses the catalog in `dir`, as far as the kernel tells: `/proc/locks` names the owners of LevelDB's lock. */
export async function findHolder(dir: string): Promise<number | undefined> {
  try {
    const { ino } = await stat(join(dir, "LOCK"));
    for (const line of (await readFile("/proc/locks", "utf8")).split("\n")) {
      const [, pid, inode] = /POSIX .* WRITE (\d+) \S+:(\d+) /.exec(line) ?? [];
      if (Number(inode) === ino && Number(pid) > 0) return Number(pid);
    }
  } catch {
    // Only the message gets poorer: the process has ended meanwhile, or there is no /proc.
  }
  return undefined;
}
