// SHA-256 of what a spill file holds, in slices, so that what the same thread is sending goes on between them.

import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { open } from "node:fs/promises";
import { KodomountError, nextTurn } from "../base/mod.ts";

/** About 0.3 ms of hashing: so long does what is being sent wait. */
const SLICE_SIZE = 512 * 1024;
/** Kept between files: fresh ones cost page faults. */
const buffers: Buffer[] = [];

/**
 * The hash of the first `size` bytes, as hexadecimal digits.
 * @throws `Corrupt` when the file is shorter, `Interrupted`, the system's error when it cannot be read.
 */
export async function hashFile(
  { path, size }: { path: string; size: number },
  signal: AbortSignal,
): Promise<string> {
  const sum = createHash("sha256");
  const buffer = buffers.pop() ?? Buffer.allocUnsafeSlow(SLICE_SIZE);
  try {
    await using file = await open(path, "r");
    for (let at = 0; at < size; ) {
      if (signal.aborted)
        throw new KodomountError("Interrupted", "The hash is not needed any more");
      // Read on this thread, where it is hashed: by way of another core's cache it costs half as much again.
      const bytesRead = readSync(file.fd, buffer, 0, Math.min(SLICE_SIZE, size - at), at);
      if (bytesRead === 0)
        throw new KodomountError(
          "Corrupt",
          `The spill file ${path} is shorter than the ${size} bytes that were written`,
        );
      sum.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
      await nextTurn();
    }
    return sum.digest("hex");
  } finally {
    buffers.push(buffer);
  }
}
