// What the attributes of a file will be that rsync writes under a temporary name: rsync sets them after its close, but an
// upload must be told when it begins. A local rsync is three processes, parent above parent; one of them has the source
// open. This is a guess: the catalog has the truth, the guess is for other machines, which see the object's metadata only.

import { readdir, readlink, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Attributes, S_IFMT, S_IFREG } from "../model/mod.ts";
import { findStatus } from "./process-status.ts";

/** Receiver, generator, sender. */
const PROCESSES_MAX = 3;

/**
 * @param mount path of the mount: what lies in it is the file that is replaced, not the source.
 * @returns the attributes of the file called `name` that the rsync above thread `pid` reads; undefined when there is none.
 */
export async function foreseeAttributes(
  pid: number,
  name: string,
  mount: string,
): Promise<Attributes | undefined> {
  try {
    // The sender is the topmost.
    for (const each of (await rsyncsAbove(pid)).reverse()) {
      const found = await sourceIn(join("/proc", String(each), "fd"), name, mount);
      if (found !== undefined) return found;
    }
  } catch {
    // Gone, or not ours to look at: then nothing is foreseen.
  }
  return undefined;
}

/** Others are none of our business; and the links of a process in execve must not be looked at. */
async function rsyncsAbove(pid: number): Promise<number[]> {
  const pids: number[] = [];
  for (let at = pid; pids.length < PROCESSES_MAX; ) {
    const status = await findStatus(at);
    if (status?.name !== "rsync") break;
    pids.push(at);
    at = status.parent;
  }
  return pids;
}

async function sourceIn(fds: string, name: string, mount: string): Promise<Attributes | undefined> {
  for (const fd of await readdir(fds)) {
    const target = await readlink(join(fds, fd)).catch(() => ""); // closed meanwhile
    if (basename(target) !== name || target.startsWith(`${mount}/`)) continue;
    const { mode, uid, gid, mtimeMs } = await stat(target);
    if ((mode & S_IFMT) === S_IFREG) return { mode, uid, gid, mtimeMs };
  }
  return undefined;
}
