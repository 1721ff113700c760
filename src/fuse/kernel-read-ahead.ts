// How far the kernel reads ahead in files of a mount. It begins with 128 KiB, which INIT can only lower: each request would
// be that small, and a read of 1 GiB 8,192 of them.

import { writeFile } from "node:fs/promises";
import { describe, type Log } from "../base/mod.ts";

/** KiB. One request of the largest size: four times as many bytes a second as with 128. */
const READ_AHEAD_KIB = 1024;

/** @param device of the mount, as `0:42`. Where it is not allowed (a container's read-only /sys) reads are slower, no more. */
export async function raiseReadAhead(device: string, log: Log): Promise<void> {
  const file = `/sys/class/bdi/${device}/read_ahead_kb`;
  try {
    await writeFile(file, String(READ_AHEAD_KIB));
  } catch (error) {
    log.debug(
      { err: error, file },
      `The kernel reads ahead as little as it does: ${describe(error)}`,
    );
  }
}
