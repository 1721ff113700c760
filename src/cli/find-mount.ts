// From what a user names (a mount point, a path below one, or nothing) to the process that serves it.

import path from "node:path";
import { codeOf, KodomountError } from "../base/mod.ts";
import { ControlClient } from "../control/mod.ts";
import type { Context } from "./context.ts";
import { canonical, isAlive, type RegistryEntry } from "./registry.ts";
import { EXIT_FAILED, report } from "./terminal.ts";

export interface FoundMount {
  readonly entry: RegistryEntry;
  readonly client: ControlClient;
}

/**
 * The mount at `dir`, or all of this user that answer. One that does not is named, and the command fails at its end: what
 * it holds is not known.
 */
export async function findMounts(context: Context, dir: string | undefined): Promise<FoundMount[]> {
  if (dir !== undefined) return [await mountAt(context, dir)];
  const found: FoundMount[] = [];
  for (const entry of await context.registry.list()) {
    try {
      found.push(await mountAt(context, entry.dir));
    } catch (error) {
      report(context.terminal, error, false);
      context.exitCode = EXIT_FAILED;
    }
  }
  return found;
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
  if (!(await isAlive(entry.pid))) throw died(at);
  try {
    // A number may be another process's by now: only the socket tells.
    await found.client.status();
    return found;
  } catch (error) {
    if (codeOf(error) === "Stale") throw died(at);
    if (codeOf(error) === "TimedOut") throw hangs(entry);
    throw error;
  }
}

function died(dir: string): KodomountError {
  return new KodomountError(
    "Stale",
    `The process of the mount at ${dir} has died: 'kodomount mount' again goes on where it stopped, 'kodomount unmount' cleans up`,
  );
}

function hangs({ dir, pid }: RegistryEntry): KodomountError {
  return new KodomountError(
    "TimedOut",
    `The process of the mount at ${dir} (${pid}) does not answer; killing it loses nothing that was closed, and 'kodomount mount' again goes on where it stopped`,
  );
}

/** The mount that holds `file`, and its path below the mount point ("" for the mount point). @throws `NotFound`. */
export async function mountOf(
  context: Context,
  file: string,
): Promise<FoundMount & { below: string }> {
  const at = await canonical(path.resolve(context.around.cwd, file));
  const named = path.resolve(context.around.cwd, file);
  for (const entry of (await context.registry.list()).sort((a, b) => b.dir.length - a.dir.length))
    for (const each of [at, named])
      if (each === entry.dir || each.startsWith(`${entry.dir}/`))
        return { ...(await mountAt(context, entry.dir)), below: path.relative(entry.dir, each) };
  throw new KodomountError(
    "NotFound",
    `${at} is not in a mount of kodomount; 'kodomount status' lists what is mounted`,
  );
}

function toFound(entry: RegistryEntry): FoundMount {
  return { entry, client: new ControlClient(entry.stateDir) };
}
