// Whether the state directory's disk can keep what is promised: what it is, how much is free, how long a sync takes.

import { randomBytes } from "node:crypto";
import { access, open, readFile, realpath, rm } from "node:fs/promises";
import path from "node:path";
import { type Clock, errnoOf, toError } from "../../base/mod.ts";
import {
  defaultSpillLimit,
  FREE_MIN,
  formatSize,
  lookAtDisk,
  type MountConfig,
} from "../../config/mod.ts";
import { parseMountinfo } from "../../fuse/mod.ts";
import { fail, note, ok, type Said } from "./finding.ts";

const SYNCS = 9;
/** Every close of a small file waits for one: an ordinary disk takes a few milliseconds. */
const SLOW_SYNC_MS = 50;

/** Looks at the directory, or at the nearest one above it that is there. A file of a few bytes is made and removed. */
export async function checkDisk(
  config: Pick<MountConfig, "stateDir" | "spillLimit" | "closeMode">,
  clock: Clock,
): Promise<Said[]> {
  try {
    const dir = await nearest(config.stateDir);
    const kind = await filesystemOf(dir);
    const { free, remote, lost } = await lookAtDisk(dir);
    const where = `${config.stateDir} is on ${kind}${dir === config.stateDir ? "" : ", and will be made"}`;
    const found: Said[] = [];
    if (remote !== undefined)
      found.push(fail("state", `${where}: ${remote} can go away or lie about syncs`, LOCAL_DISK));
    else if (lost !== undefined)
      found.push(
        note(
          "state",
          `${where}, which is lost with the machine: what was closed survives a killed process, not a loss of power`,
          LOCAL_DISK,
        ),
      );
    else found.push(ok("state", where));
    found.push(await checkRoom(config, dir, free), await checkSync(dir, clock));
    return found;
  } catch (error) {
    return [
      fail(
        "state",
        `${config.stateDir} cannot be looked at (${errnoOf(error) ?? toError(error).message})`,
        LOCAL_DISK,
      ),
    ];
  }
}

const LOCAL_DISK = "name a directory on a local disk by '--state-dir'";

async function checkRoom(
  { stateDir, spillLimit }: Pick<MountConfig, "stateDir" | "spillLimit">,
  dir: string,
  free: number,
): Promise<Said> {
  if (free < FREE_MIN)
    return fail(
      "room",
      `${formatSize(free)} are free`,
      `make room, at least ${formatSize(FREE_MIN)}`,
    );
  const limit = spillLimit ?? (await defaultSpillLimit(dir === stateDir ? stateDir : dir));
  if (limit > free && spillLimit !== undefined)
    return note(
      "room",
      `${formatSize(free)} are free, less than '--spill-limit' ${formatSize(limit)}`,
      "make room, or lower the limit: the disk is full before the limit is reached",
    );
  return ok("room", `${formatSize(free)} are free, pending files may take ${formatSize(limit)}`);
}

async function checkSync(dir: string, clock: Clock): Promise<Said> {
  const file = path.join(dir, `.kodomount-try-${randomBytes(6).toString("hex")}`);
  try {
    const handle = await open(file, "wx", 0o600);
    const times: number[] = [];
    try {
      for (let count = 0; count < SYNCS; count += 1) {
        await handle.write(Buffer.alloc(4096, count), 0, 4096, 0);
        const start = clock.monotonic();
        await handle.datasync();
        times.push(clock.monotonic() - start);
      }
    } finally {
      await handle.close();
    }
    const median = times.sort((a, b) => a - b)[Math.floor(SYNCS / 2)] ?? 0;
    const said = `a sync takes ${median.toFixed(1)} ms`;
    return median > SLOW_SYNC_MS
      ? note(
          "sync",
          said,
          "closes of small files and renames wait for it: a faster disk by '--state-dir' helps",
        )
      : ok("sync", said);
  } catch (error) {
    const errno = errnoOf(error) ?? toError(error).message;
    return fail("sync", `${dir} cannot be written to (${errno})`, LOCAL_DISK);
  } finally {
    await rm(file, { force: true }).catch(() => undefined); // what could not be made is not there
  }
}

async function nearest(dir: string): Promise<string> {
  try {
    await access(dir);
    return dir;
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || dir === "/") throw toError(error);
    return nearest(path.dirname(dir));
  }
}

/** The kernel's name of it, as `ext4`. */
async function filesystemOf(dir: string): Promise<string> {
  const real = await realpath(dir);
  const mounts = parseMountinfo(await readFile("/proc/self/mountinfo", "utf8"));
  const holding = mounts.filter(
    (each) => each.dir === "/" || real === each.dir || real.startsWith(`${each.dir}/`),
  );
  const longest = Math.max(...holding.map((each) => each.dir.length));
  return holding.findLast((each) => each.dir.length === longest)?.type ?? "an unknown filesystem";
}
