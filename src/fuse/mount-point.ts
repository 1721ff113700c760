// Looks at the directory before it is mounted on. Every look is one that cannot hang us: what is mounted there may be a
// filesystem whose server is dead (ENOTCONN) or stuck (no answer at all).

import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { describe, KodomountError } from "../base/mod.ts";
import { type Outcome, runCommand } from "./command.ts";
import { findMountAt, type MountedAt } from "./mountinfo.ts";

/** How our mounts are called in /proc/mounts. */
export const MOUNT_TYPE = "fuse.kodomount";
const LOOK_MS = 5000;
const UNMOUNT_MS = 30_000;

export interface MountPoint {
  /** Absolute, without links: as mountinfo writes it. */
  readonly dir: string;
  /** A mount of ours whose server had died was there, and was unmounted. */
  readonly wasStale: boolean;
}

/**
 * Makes sure that `dir` can be mounted on; a mount of ours that lost its server is unmounted.
 * @throws `NotFound` when it is missing; `Config` when it is no directory, not empty, or something is mounted there.
 */
export async function inspectMountPoint(dir: string): Promise<MountPoint> {
  const path = resolve(dir);
  // With -f it asks the filesystem itself: of one that has just died the kernel still knows the attributes.
  const looked = await look(path, ["-f", "-c", "%T"]);
  if (looked.status === undefined) throw stuck(path, looked.stderr);
  if (looked.status !== 0) {
    await cleanUp(path, looked.stderr);
    return { ...(await inspectMountPoint(path)), wasStale: true };
  }
  if ((await look(path, ["-L", "-c", "%F"])).stdout.trim() !== "directory")
    throw new KodomountError("Config", `Cannot mount on ${path}: it is not a directory; name one`);
  const real = await realpath(path);
  const mounted = await mountAt(real);
  if (mounted !== undefined) throw occupied(real, mounted);
  await assertEmpty(real);
  return { dir: real, wasStale: false };
}

function look(path: string, options: readonly string[]): Promise<Outcome> {
  return runCommand("stat", [...options, "--", path], { timeoutMs: LOOK_MS });
}

/** What is mounted at `dir`, an absolute path without links. */
export async function mountAt(dir: string): Promise<MountedAt | undefined> {
  return findMountAt(await readFile("/proc/self/mountinfo", "utf8"), dir);
}

async function cleanUp(path: string, why: string): Promise<void> {
  if (why.includes("No such file or directory"))
    throw new KodomountError("NotFound", `Cannot mount on ${path}: it does not exist; make it`);
  if (!why.includes("Transport endpoint is not connected"))
    throw new KodomountError(
      "Config",
      `Cannot mount on ${path}: it cannot be looked at (${why.trim()})`,
    );
  // Its own name must not be followed, that would ask the dead filesystem; the way to it may have links.
  const real = join(await realpath(dirname(path)), basename(path));
  const mounted = await mountAt(real);
  if (mounted?.type !== MOUNT_TYPE) throw dead(path, mounted);
  const { status, stderr } = await runCommand("umount", ["-i", "--", real], {
    timeoutMs: UNMOUNT_MS,
  });
  if (status !== 0)
    throw new KodomountError(
      "Config",
      `Cannot clean up the mount at ${real} whose process has died (${stderr.trim()}): run umount -l ${real}`,
    );
}

async function assertEmpty(dir: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(dir);
  } catch (error) {
    throw new KodomountError("Config", `Cannot mount on ${dir}: ${describe(error)}`, {
      cause: error,
    });
  }
  if (names.length > 0)
    throw new KodomountError(
      "Config",
      `Cannot mount on ${dir}: it is not empty, and what is in it would be hidden; name an empty directory`,
    );
}

function stuck(path: string, why: string): KodomountError {
  return new KodomountError(
    "Config",
    `Cannot mount on ${path}: looking at it does not return (${why}); if a dead filesystem is mounted there, run umount -l ${path}`,
  );
}

function dead(path: string, mounted: MountedAt | undefined): KodomountError {
  const what =
    mounted === undefined ? "a filesystem on the way to it" : `the ${mounted.type} there`;
  return new KodomountError(
    "Config",
    `Cannot mount on ${path}: ${what} has lost its server, and is not ours to unmount`,
  );
}

function occupied(dir: string, { type, source }: MountedAt): KodomountError {
  const what =
    type === MOUNT_TYPE ? `kodomount has mounted ${source}` : `${source} (${type}) is mounted`;
  return new KodomountError(
    "Config",
    `Cannot mount on ${dir}: ${what} there already; unmount it first, or name another directory`,
  );
}
