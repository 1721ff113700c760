// Gets what was saved out of a state directory whose catalog is lost or damaged, into a directory of its own. The state
// directory is only read.

import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, toError } from "../base/mod.ts";
import { joined } from "../catalog/mod.ts";
import { isName, type PartPlan, S_IFLNK, S_IFMT, type SaveState } from "../model/mod.ts";
import { copyPieces } from "./copy-pieces.ts";
import { type Layout, layOut, type Missing } from "./layout.ts";
import { type FoundSave, readState } from "./read-state.ts";

export interface SalvagedFile {
  readonly save: string;
  /** Path below the mount point; undefined: nothing tells it any more. */
  readonly key: string | undefined;
  /** As the catalog says. `none`: it can be read, and knows of no such save (finished, dropped, or its record is lost). */
  readonly state: SaveState["kind"] | "none" | undefined;
  readonly size: number;
  /** Nothing is known to be missing. */
  readonly complete: boolean;
  readonly missing: readonly Missing[];
  /** Where it is now, below the target; undefined: none of its bytes were there. */
  readonly path: string | undefined;
}

export interface SalvageReport {
  readonly files: readonly SalvagedFile[];
  readonly notes: readonly string[];
}

/** What is not whole must not be taken for what it is not. */
const INCOMPLETE = ".incomplete";

/**
 * @param state the state directory; nobody uses it.
 * @param target an empty directory.
 * @throws `Config` for what is no state directory; errors of the target's disk.
 */
export async function salvage(state: string, target: string): Promise<SalvageReport> {
  const { saves, plan, notes, hasCatalog } = await readState(state);
  const files: SalvagedFile[] = [];
  const links: string[] = [];
  // The newest of a name gets the name.
  for (const save of [...saves].sort((a, b) => b.writtenAt - a.writtenAt)) {
    const { file, isLink } = await salvageOne(save, { state, target, plan, hasCatalog });
    files.push(file);
    if (isLink && file.path !== undefined) links.push(file.path);
  }
  // Last: nothing is ever written through one of them.
  for (const path of links) await toLink(join(target, path));
  return { files: files.sort((a, b) => ((a.key ?? "") < (b.key ?? "") ? -1 : 1)), notes };
}

async function salvageOne(
  save: FoundSave,
  at: { state: string; target: string; plan: PartPlan; hasCatalog: boolean },
): Promise<{ file: SalvagedFile; isLink: boolean }> {
  const { id: name, key, record, attributes } = save;
  const unknown = at.hasCatalog ? ("none" as const) : undefined;
  const small = save.data.length > 0 ? joined(save.data) : undefined;
  const layout = layOut(at.plan, save);
  const size = small?.length ?? layout.size;
  const done = { save: name, key, state: record?.state.kind ?? unknown, size };
  if (key?.endsWith("/"))
    return { file: await makeDirectory(save, at.target, done), isLink: false };
  if (small === undefined && layout.pieces.length === 0 && (size > 0 || record === undefined)) {
    const missing = size > 0 ? layout.missing : [NOTHING];
    return { file: { ...done, complete: false, missing, path: undefined }, isLink: false };
  }
  const temporary = join(at.target, `.salvage-${name}`);
  const missing = small === undefined ? [...layout.missing] : [];
  const from = join(at.state, "spill", name);
  missing.push(...(await copyPieces(small === undefined ? layout : EMPTY, from, temporary)));
  if (small !== undefined) await writeSmall(temporary, small);
  missing.sort((a, b) => a.offset - b.offset);
  const complete = missing.length === 0;
  await setAttributes(temporary, attributes);
  const path = await place(temporary, at.target, { name, key, complete });
  const isLink = complete && ((attributes.mode ?? 0) & S_IFMT) === S_IFLNK;
  return { file: { ...done, complete, missing, path }, isLink };
}

const EMPTY: Layout = { size: 0, pieces: [], missing: [] };
const NOTHING: Missing = { offset: 0, size: 0, why: "nothing of its content is in the spill" };

async function writeSmall(file: string, bytes: Buffer): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function makeDirectory(
  { key, attributes }: FoundSave,
  target: string,
  done: Pick<SalvagedFile, "save" | "key" | "state" | "size">,
): Promise<SalvagedFile> {
  const path = safePath(key);
  if (path === undefined) return { ...done, complete: true, missing: [], path: undefined };
  await mkdir(join(target, path), { recursive: true });
  await setAttributes(join(target, path), attributes);
  return { ...done, complete: true, missing: [], path };
}

/** What it was: as far as this user may say so. Never set-user-id: nobody has looked at what this is. */
async function setAttributes(file: string, of: FoundSave["attributes"]): Promise<void> {
  if (of.uid !== undefined && of.gid !== undefined && process.getuid?.() === 0)
    await chown(file, of.uid, of.gid);
  if (of.mode !== undefined) await chmod(file, of.mode & 0o777);
  if (of.mtimeMs !== undefined) await utimes(file, of.mtimeMs / 1000, of.mtimeMs / 1000);
}

/** Gives it its name, or the save's id where that cannot be. @returns the path below `target`. */
async function place(
  temporary: string,
  target: string,
  of: { name: string; key: string | undefined; complete: boolean },
): Promise<string> {
  const end = of.complete ? "" : INCOMPLETE;
  const own = safePath(of.key);
  const paths = [...(own === undefined ? [] : [own, `${own}.${of.name}`]), of.name];
  for (const path of paths) {
    const file = join(target, `${path}${end}`);
    try {
      await mkdir(dirname(file), { recursive: true });
      if (await exists(file)) continue;
      await rename(temporary, file);
      return `${path}${end}`;
    } catch (error) {
      // A name that is too long, or below what is a file here: its id is a name, too.
      if (!/^(ENAMETOOLONG|ENOTDIR|EEXIST|EISDIR)$/.test(errnoOf(error) ?? ""))
        throw toError(error);
    }
  }
  return `.salvage-${of.name}`;
}

/** A key that stays below the target. */
function safePath(key: string | undefined): string | undefined {
  const names = (key ?? "").replace(/\/$/, "").split("/");
  return names.every(isName) ? names.join("/") : undefined;
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw toError(error);
  }
}

async function toLink(file: string): Promise<void> {
  const to = await readFile(file, "utf8");
  if (to === "" || to.includes("\0")) return;
  await rm(file);
  await symlink(to, file);
}
