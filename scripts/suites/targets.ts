// What a suite can be run on: the product, two of its peers, or a plain directory that tells whether the harness is right.

import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../stage.ts";
import { kodomount } from "./kodomount.ts";
import { type Mounter, MountTarget } from "./mount-target.ts";
import { rclone, s3fs } from "./peers.ts";
import type { SuiteStore } from "./stores.ts";
import type { Target, TargetName } from "./types.ts";

export interface Wanted {
  readonly base: string;
  readonly store: SuiteStore | undefined;
  readonly signal: AbortSignal;
  /** As `--part-size` of kodomount: a suite of small files wants small parts, so that there is more than one. */
  readonly partSize: string;
}

export async function startTarget(name: TargetName, wanted: Wanted): Promise<Target> {
  const dir = join(wanted.base, "mnt");
  await mkdir(dir);
  if (wanted.store === undefined) return plainDir(dir);
  const mounter = await mounterOf(name, wanted, wanted.store);
  const target = new MountTarget(name, dir, mounter);
  await target.start();
  return target;
}

function mounterOf(name: TargetName, wanted: Wanted, store: SuiteStore): Promise<Mounter> {
  if (name === "s3fs") return s3fs(wanted, store);
  if (name === "rclone") return rclone(wanted, store);
  return kodomount(wanted, store);
}

async function plainDir(dir: string): Promise<Target> {
  const { stdout } = await exec(["findmnt", "-no", "FSTYPE", "-T", dir]);
  return {
    name: "dir",
    what: `a directory on ${stdout}`,
    dir,
    // There is nothing to mount; what a new mount would not have in memory is dropped.
    remount: async () => {
      await exec(["sh", "-c", "sync && echo 3 > /proc/sys/vm/drop_caches"]);
    },
    isAlive: async () => true,
    kill: async () => undefined,
    [Symbol.asyncDispose]: async () => {
      for (const name of await readdir(dir))
        await rm(join(dir, name), { recursive: true, force: true });
    },
  };
}
