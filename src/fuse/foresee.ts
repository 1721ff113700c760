// What the attributes of a file will be that rsync writes under a temporary name: rsync sets them after its close, but an
// upload must be told when it begins. A local rsync is three processes, parent above parent; one of them has the source
// open. This is a guess: the catalog has the truth, the guess is for other machines, which see the object's metadata only.

import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Attributes, S_IFMT, S_IFREG } from "../model/mod.ts";

/** Receiver, generator, sender. */
const PROCESSES_MAX = 3;

/** @returns the attributes of the file called `name` that the rsync above thread `pid` reads; undefined when there is none. */
export async function foreseeAttributes(
  pid: number,
  name: string,
): Promise<Attributes | undefined> {
  try {
    let at = pid;
    for (let level = 0; level < PROCESSES_MAX; level += 1) {
      const status = await readFile(`/proc/${at}/status`, "latin1");
      // Others are none of our business; and the links of a process in execve must not be looked at.
      if (!/^Name:\trsync$/m.test(status)) return undefined;
      const found = await sourceIn(join("/proc", String(at), "fd"), name);
      if (found !== undefined) return found;
      at = Number(/^PPid:\t(\d+)/m.exec(status)?.[1]);
    }
  } catch {
    // Gone, or not ours to look at: then nothing is foreseen.
  }
  return undefined;
}

async function sourceIn(fds: string, name: string): Promise<Attributes | undefined> {
  for (const fd of await readdir(fds)) {
    const target = await readlink(join(fds, fd)).catch(() => ""); // closed meanwhile
    if (basename(target) !== name) continue;
    const { mode, uid, gid, mtimeMs } = await stat(target);
    if ((mode & S_IFMT) === S_IFREG) return { mode, uid, gid, mtimeMs };
  }
  return undefined;
}
