// A configuration as a test wants it, in surroundings that do not depend on the machine.

import {
  loadMountConfig,
  type MountConfig,
  type MountFlags,
  type Surroundings,
} from "../../../src/config/mod.ts";

export const KEYS = { KODO_ACCESS_KEY: "AK-of-a-test", KODO_SECRET_KEY: "SECRET-of-a-test" };
export const KODO: MountFlags = { endpoint: "https://s3.cn-east-1.qiniucs.com" };

export function around(changes: Partial<Surroundings> = {}): Surroundings {
  return {
    env: KEYS,
    cwd: "/home/ann",
    home: "/home/ann",
    isRoot: false,
    hasFile: () => false,
    ...changes,
  };
}

export function load(
  request: { source?: string; dir?: string; flags?: MountFlags },
  where: Surroundings = around(),
): MountConfig {
  const { source = "models/team/a", dir = "mnt", flags = KODO } = request;
  return loadMountConfig({ source, dir, flags }, where);
}
