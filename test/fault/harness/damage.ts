// Changes a byte of what a mount that is down has left on its disk.

import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../../src/base/mod.ts";
import type { Machine } from "./machine.ts";
import type { Random } from "./random.ts";

/** How LevelDB's log has the key that every synced batch puts. */
const SYNC_MARK = Buffer.from("\x01\x06m/sync");
/** Of the last synced batches nobody can say whether their fsync had ended. */
const SYNCS_BEHIND = 3;

/** A byte of a part whose hash is known, to each save that has it; false when there is none. */
export async function damageSpill(
  dir: string,
  sealed: ReadonlySet<string>,
  random: Random,
): Promise<boolean> {
  const names = (await readdir(dir, { recursive: true })).filter((name) => sealed.has(name));
  const links = await Promise.all(names.map(async (name) => (await stat(join(dir, name))).nlink));
  const [first, ...rest] = names.filter((_, index) => links[index] === 1).sort();
  if (first === undefined) return false;
  const file = join(dir, random.pick([first, ...rest]));
  const bytes = await readFile(file);
  if (bytes.length === 0) return false;
  await writeFile(file, flipped(bytes, random.int(0, bytes.length - 1)));
  return true;
}

/** A byte that an fsync has certainly covered. @returns what undoes it; undefined when there is none yet. */
export async function damageCatalog(
  dir: string,
  random: Random,
): Promise<(() => Promise<void>) | undefined> {
  const name = (await readdir(dir)).find((each) => each.endsWith(".log"));
  if (name === undefined) return undefined;
  const file = join(dir, name);
  const bytes = await readFile(file);
  const marks: number[] = [];
  for (let at = bytes.indexOf(SYNC_MARK); at >= 0; at = bytes.indexOf(SYNC_MARK, at + 1))
    marks.push(at);
  const limit = marks.at(-SYNCS_BEHIND);
  if (limit === undefined) return undefined;
  await writeFile(file, flipped(bytes, random.int(0, limit - 1)));
  return () => writeFile(file, bytes);
}

/** The mount must not start over promises that it cannot read. @throws when it does. */
export async function assertRefused(machine: Machine): Promise<void> {
  try {
    await machine.start();
  } catch (error) {
    if (codeOf(error) === "Corrupt" && String(error).includes(machine.stateDir)) return;
    throw error;
  }
  throw new Error("The mount has started over a damaged catalog");
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(at) ^ 0x10, at);
  return changed;
}
