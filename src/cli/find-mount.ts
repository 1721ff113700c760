// From what a user names (a mount point, a path below one, or nothing) to the process that serves it.

import path from "node:path";
import { codeOf, KodomountError } from "../base/mod.ts";
import { ControlClient } from "../control/mod.ts";
import type { Context } from "./context.ts";
import { canonical, isAlive, type RegistryEntry } from "./registry.ts";

export interface FoundMount {
  readonly entry: RegistryEntry;
  readonly client: ControlClient;
}

/** All mounts of this user, or the one at `dir`. @throws `Config` when nothing is mounted there. */
export async function findMounts(context: Context, dir: string | undefined): Promise<FoundMount[]> {
  if (dir !== undefined) return [await mountAt(context, dir)];
  return (await living(context)).map(toFound);
}

/** The mount at exactly `dir`. @throws `NotFound` when none was made there, `Stale` when its process has died. */
export async function mountAt(context: Context, dir: string): Promise<FoundMount> {
  const at = await canonical(path.resolve(context.around.cwd, dir));
  const entry = await context.registry.find(at);
  if (entry === undefined)
    throw new KodomountError(
      "NotFound",
      `${at} is not mounted by kodomount; 'kodomount status' lists what is`,
    );
  const found = toFound(entry);
  if ((await isAlive(entry.pid)) && (await answers(found.client))) return found;
  throw new KodomountError(
    "Stale",
    `The process of the mount at ${at} has died: 'kodomount mount' again goes on where it stopped, 'kodomount unmount' cleans up`,
  );
}

async function living({ registry }: Context): Promise<RegistryEntry[]> {
  return (await registry.list()).filter(({ alive }) => alive);
}

/** A number may be another process's by now: only the socket tells. */
async function answers(client: ControlClient): Promise<boolean> {
  try {
    await client.status();
    return true;
  } catch (error) {
    if (codeOf(error) === "Stale") return false;
    throw error;
  }
}

/** The mount that holds `file`, and its path below the mount point ("" for the mount point). @throws `NotFound`. */
export async function mountOf(
  context: Context,
  file: string,
): Promise<FoundMount & { below: string }> {
  const at = await canonical(path.resolve(context.around.cwd, file));
  const named = path.resolve(context.around.cwd, file);
  for (const entry of (await living(context)).sort((a, b) => b.dir.length - a.dir.length))
    for (const each of [at, named])
      if (each === entry.dir || each.startsWith(`${entry.dir}/`))
        return { ...toFound(entry), below: path.relative(entry.dir, each) };
  throw new KodomountError(
    "NotFound",
    `${at} is not in a mount of kodomount; 'kodomount status' lists what is mounted`,
  );
}

function toFound(entry: RegistryEntry): FoundMount {
  return { entry, client: new ControlClient(entry.stateDir) };
}
