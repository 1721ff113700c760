// The directory of the cache before anybody uses it, and how large the cache may be when nothing is said.

import { mkdir, stat, statfs } from "node:fs/promises";
import type { KodomountError } from "../base/mod.ts";
import { badValue } from "./bad-value.ts";
import type { MountConfig } from "./mount-config.ts";
import { cannotUse, diskUse, isWithin, tryWriting } from "./state-dir.ts";

const SHARE = 0.8;
/** On the disk of what is pending, which must find room. */
const SHARE_BESIDE_SPILL = 0.1;
const SIZE_MIN = 64 * 1024 ** 2;

/** Makes the directory if need be. @throws `Config` in one line when it cannot be used. */
export async function prepareCacheDir(config: Pick<MountConfig, "cache" | "dir">): Promise<void> {
  if (config.cache === undefined) return;
  const { dir } = config.cache;
  if (isWithin(dir, config.dir))
    throw badValue("'--cache-dir'", dir, `it must not be in the mount point ${config.dir}`);
  const explain = (error: unknown): KodomountError =>
    cannotUse("the cache directory", { dir, option: "--cache-dir" }, error);
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw explain(error);
  }
  await tryWriting(dir, explain);
}

/**
 * Bytes: a share of what is free, or in use by the cache already.
 * @param of.files what of `dir` is the cache's, and not other files beside it.
 */
export async function defaultCacheSize(of: {
  readonly dir: string;
  readonly files: string;
  readonly stateDir: string;
}): Promise<number> {
  const { dir, files, stateDir } = of;
  const [{ bavail, bsize }, its, states, used] = await Promise.all([
    statfs(dir),
    stat(dir),
    stat(stateDir),
    diskUse(files),
  ]);
  const share = its.dev === states.dev ? SHARE_BESIDE_SPILL : SHARE;
  return Math.max(SIZE_MIN, Math.floor((bavail * bsize + used) * share));
}
