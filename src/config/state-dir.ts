// The state directory before anybody uses it: it must be ours alone, on a local disk, with room. What it promises
// (what was closed survives a crash) cannot be kept elsewhere.

import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readdir, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { errnoOf, KodomountError } from "../base/mod.ts";
import { badValue } from "./bad-value.ts";
import type { MountConfig } from "./mount-config.ts";
import { formatSize } from "./quantity.ts";

/** What of `statfs` is looked at; a parameter, so that tests can be on any filesystem. */
export interface StateDirIo {
  statfs(path: string): Promise<{ type: number; bsize: number; bavail: number }>;
}

/** `f_type` of filesystems whose locks, syncs or whole directory may go away with a network or another process. */
const REMOTE: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x517b, "SMB"],
  [0x65735546, "FUSE"],
  [0x00c36400, "Ceph"],
  [0x01021997, "9p"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
  [0x19830326, "BeeGFS"],
  [0x20030528, "OrangeFS"],
  [0x786f4256, "a shared folder of VirtualBox"],
]);
/** Gone with the machine, or with the container. */
const VOLATILE: ReadonlyMap<number, string> = new Map([
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
  [0x794c7630, "overlay"],
]);

/** Below this not even the catalog can do its work, which alone can free what the spill holds. */
export const FREE_MIN: number = 16 * 1024 ** 2;
/** The rest is for everybody else on the disk. */
const SPILL_SHARE = 0.8;

/**
 * Makes the state directory if need be, and sees that it can do its job.
 * @throws `Config` in one line when it cannot; nothing in it was changed then.
 */
export async function prepareStateDir(
  config: Pick<MountConfig, "stateDir" | "dir" | "closeMode">,
  io: StateDirIo = { statfs },
): Promise<void> {
  const { stateDir, dir, closeMode } = config;
  if (isWithin(stateDir, dir) || isWithin(dir, stateDir))
    throw bad(
      stateDir,
      `it and the mount point ${dir} must not be inside each other; choose another by '--state-dir'`,
    );
  await make(stateDir);
  const { remote, lost, free } = await lookAtDisk(stateDir, io);
  if (remote !== undefined)
    throw bad(
      stateDir,
      `it is on ${remote}, which can go away or lie about syncs; choose a local disk by '--state-dir'`,
    );
  if (closeMode === "local" && lost !== undefined)
    throw bad(
      stateDir,
      `it is on ${lost}, which is lost with the machine, and '--close=local' promises that what was closed is not; choose a disk by '--state-dir'`,
    );
  if (free < FREE_MIN)
    throw bad(
      stateDir,
      `its disk is full (${formatSize(free)} free); make room, at least ${formatSize(FREE_MIN)}`,
    );
  await tryWriting(stateDir, (error) => explain(stateDir, error));
}

export interface Disk {
  /** Bytes that an ordinary user may still write. */
  readonly free: number;
  /** What it is, when it may go away with a network or another process. */
  readonly remote: string | undefined;
  /** What it is, when it is gone with the machine. */
  readonly lost: string | undefined;
}

/** The filesystem that a directory is on. */
export async function lookAtDisk(dir: string, io: StateDirIo = { statfs }): Promise<Disk> {
  const { type, bsize, bavail } = await io.statfs(dir);
  return { free: bavail * bsize, remote: REMOTE.get(type >>> 0), lost: VOLATILE.get(type >>> 0) };
}

/** The spill's bound when none is given: most of what is free, or in use by the spill already. */
export async function defaultSpillLimit(
  stateDir: string,
  io: StateDirIo = { statfs },
): Promise<number> {
  const { bsize, bavail } = await io.statfs(stateDir);
  const free = bavail * bsize + (await diskUse(path.join(stateDir, "spill")));
  return Math.max(1, Math.floor(free * SPILL_SHARE));
}

function bad(stateDir: string, why: string): KodomountError {
  return badValue("the state directory", stateDir, why);
}

/** Whether a path is that of a directory or of something below it. */
export function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer === "/" ? "/" : `${outer}/`);
}

async function make(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const { mode, uid } = await stat(stateDir);
    if (uid !== process.getuid?.())
      throw bad(stateDir, "it belongs to another user; choose another by '--state-dir'");
    await assertOurs(stateDir);
    if ((mode & 0o077) !== 0) await chmod(stateDir, 0o700);
  } catch (error) {
    throw error instanceof KodomountError ? error : explain(stateDir, error);
  }
}

/** A directory of something else (`/tmp`, a home) must not be closed to others and filled by us. */
async function assertOurs(stateDir: string): Promise<void> {
  const names = await readdir(stateDir);
  const foreign = names.find((name) => name !== "lost+found");
  if (foreign === undefined || names.some((name) => OURS.has(name))) return;
  throw bad(
    stateDir,
    `it has other files in it (${JSON.stringify(foreign)}); choose an empty directory by '--state-dir'`,
  );
}

/** What the first start makes; a catalog that was moved aside leaves the others. */
const OURS: ReadonlySet<string> = new Set(["catalog", "spill", "kodomount.log", "control.sock"]);

/** @param explain what is thrown when the directory cannot be used. */
export async function tryWriting(
  dir: string,
  explain: (error: unknown) => KodomountError,
): Promise<void> {
  const file = path.join(dir, `.try-${randomBytes(6).toString("hex")}`);
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.write("kodomount");
      await handle.sync();
    } finally {
      await handle.close();
    }
    await readdir(dir);
  } catch (error) {
    throw explain(error);
  } finally {
    await rm(file, { force: true });
  }
}

function explain(stateDir: string, error: unknown): KodomountError {
  return cannotUse("the state directory", { dir: stateDir, option: "--state-dir" }, error);
}

/** What the system says of a directory that is to be used, for who has named it by an option. */
export function cannotUse(
  what: string,
  { dir, option }: { readonly dir: string; readonly option: string },
  error: unknown,
): KodomountError {
  const why = WHY[errnoOf(error) ?? ""] ?? "it cannot be used";
  const wrong = badValue(what, dir, `${why}; choose another by '${option}'`);
  return new KodomountError("Config", wrong.message, { cause: error });
}

const WHY: Readonly<Record<string, string>> = {
  EEXIST: "it is not a directory",
  ENOTDIR: "a part of the path is not a directory",
  EACCES: "it may not be read or written by this user",
  EPERM: "it may not be read or written by this user",
  EROFS: "its filesystem is read-only",
  ENOSPC: "its disk is full; make room",
  EDQUOT: "the disk quota of this user is used up; make room",
  EIO: "its disk fails",
  ENAMETOOLONG: "its path is too long",
};

/** Bytes on disk below `directory`; what goes away meanwhile does not count. */
export async function diskUse(directory: string): Promise<number> {
  let bytes = 0;
  try {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const at = path.join(directory, entry.name);
      bytes += entry.isDirectory() ? await diskUse(at) : (await stat(at)).blocks * 512;
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw explain(directory, error);
  }
  return bytes;
}
