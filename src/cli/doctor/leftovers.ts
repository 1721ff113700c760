// What earlier mounts have left on this machine: dead mounts, state directories with files that are not in the bucket, uploads
// that nobody needs. Nothing is changed, and no mount point is touched: a dead one would hang.

import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { describe, errnoOf, toError } from "../../base/mod.ts";
import { readRemains } from "../../catalog/mod.ts";
import { formatSize, formatSource, stateBase } from "../../config/mod.ts";
import { ControlClient } from "../../control/mod.ts";
import { MOUNT_TYPE, parseMountinfo } from "../../fuse/mod.ts";
import { isPromised } from "../../model/mod.ts";
import type { Context } from "../context.ts";
import { whoUses } from "../in-use.ts";
import { isAlive } from "../registry.ts";
import { fail, note, ok, type Said } from "./finding.ts";

/** @param stateDirs to look at besides those that are known. */
export async function checkLeftovers(
  context: Context,
  stateDirs: readonly string[],
): Promise<Said[]> {
  const found = [...(await checkMounts(context))];
  for (const dir of await knownStateDirs(context, stateDirs))
    try {
      found.push(...(await checkStateDir(dir)));
    } catch (error) {
      found.push(note("state", `${dir} cannot be looked at: ${describe(error)}`));
    }
  return found.length === 0 ? [ok("leftovers", "nothing is left by earlier mounts")] : found;
}

async function checkMounts({ registry }: Context): Promise<Said[]> {
  const entries = await registry.list();
  const found: Said[] = [];
  const living = new Set<string>();
  for (const { dir, pid } of entries)
    if (await isAlive(pid)) living.add(dir);
    else found.push(fail("mount", `the process of the mount at ${dir} has died`, GO_ON));
  const known = new Set(entries.map(({ dir }) => dir));
  const mounted = parseMountinfo(await readFile("/proc/self/mountinfo", "utf8"));
  for (const { dir, type } of mounted)
    if (type === MOUNT_TYPE && !known.has(dir))
      found.push(
        note(
          "mount",
          `a mount at ${dir} is not of this user, or its process has died`,
          `if nobody uses it: 'kodomount unmount ${dir}'`,
        ),
      );
  return found;
}

const GO_ON = "'kodomount mount' again goes on where it stopped, 'kodomount unmount' cleans up";

/** Below the usual place, of the registry, and those that are given; only what is there. */
async function knownStateDirs(
  { registry, around }: Context,
  given: readonly string[],
): Promise<string[]> {
  const base = stateBase(around);
  const below = (await readdir(base).catch(() => [])).map((name) => path.join(base, name));
  const dirs = new Set([
    ...(await registry.list()).map((each) => each.stateDir),
    ...below,
    ...given,
  ]);
  const there: string[] = [];
  for (const dir of [...dirs].sort())
    if (
      (await isDirectory(path.join(dir, "catalog"))) ||
      (await isDirectory(path.join(dir, "spill")))
    )
      there.push(dir);
  return there;
}

async function isDirectory(dir: string): Promise<boolean> {
  try {
    return (await stat(dir)).isDirectory();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "EACCES") return false;
    throw toError(error);
  }
}

async function checkStateDir(dir: string): Promise<Said[]> {
  const who = await whoUses(dir);
  return who === undefined ? checkUnused(dir) : checkUsed(dir, who);
}

async function checkUsed(dir: string, who: string): Promise<Said[]> {
  if (who.startsWith("a process"))
    return [fail("state", `${dir} is used by ${who}`, "kill it: nothing that was closed is lost")];
  const { pending, failures } = await new ControlClient(dir).status();
  const kept = pending.filter(({ state }) => state === "parked" || state === "interrupted");
  const found: Said[] = [];
  if (kept.length > 0)
    found.push(
      note(
        "kept",
        `${kept.length} files in ${dir} wait for an order, the first is ${kept[0]?.path}`,
        "see 'kodomount uploads'",
      ),
    );
  if (failures > 0)
    found.push(
      note(
        "failures",
        `${failures} since the start of the mount with ${dir}`,
        `see ${path.join(dir, "kodomount.log")}`,
      ),
    );
  return found;
}

async function checkUnused(dir: string): Promise<Said[]> {
  const remains = await readRemains(path.join(dir, "catalog"));
  if ("why" in remains)
    return [
      fail(
        "catalog",
        `${dir}: ${remains.why}`,
        `'kodomount salvage ${dir} TARGET_DIR' gets out what was saved`,
      ),
    ];
  const found: Said[] = [];
  const { saves, uploads, aborts, damaged, identity } = remains;
  if (damaged.length > 0)
    found.push(
      fail(
        "catalog",
        `${dir}: ${damaged.length} records are damaged, the first is ${JSON.stringify(damaged[0])}`,
        `'kodomount salvage ${dir} TARGET_DIR' gets out what was saved`,
      ),
    );
  const source = identity === undefined ? "its source" : formatSource(identity);
  const mountIt = `mount ${source} again (with '--state-dir ${dir}')`;
  const promised = saves.filter(({ state }) => isPromised(state));
  const size = promised.reduce((sum, { state }) => sum + ("size" in state ? state.size : 0), 0);
  if (promised.length > 0)
    found.push(
      fail(
        "unsent",
        `${dir}: ${promised.length} closed files (${formatSize(size)}) are not in the bucket, the first is ${promised[0]?.key}`,
        `${mountIt}: it sends them`,
      ),
    );
  const others = saves.length - promised.length;
  if (others > 0)
    found.push(
      note(
        "kept",
        `${dir}: ${others} ${others === 1 ? "file" : "files"} whose writer died before the close`,
        `${mountIt}, and see 'kodomount uploads'`,
      ),
    );
  const needed = new Set(saves.map(({ key }) => key));
  const idle = uploads.filter(({ key }) => !needed.has(key)).length + aborts.length;
  if (idle > 0)
    found.push(
      note(
        "uploads",
        `${dir}: ${idle} uploads at the store are of no use any more`,
        `${mountIt}: it aborts them; or the bucket's lifecycle rule does`,
      ),
    );
  return found;
}
