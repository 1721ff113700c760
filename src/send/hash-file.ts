// SHA-256 of what a spill file holds, in slices, so that what the same thread is sending goes on between them.

import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { KodomountError } from "../base/mod.ts";

/** About half a millisecond of hashing; smaller slices cost more reads. */
const SLICE_SIZE = 1024 * 1024;
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
      const { bytesRead } = await file.read(buffer, 0, Math.min(SLICE_SIZE, size - at), at);
      if (bytesRead === 0)
        throw new KodomountError(
          "Corrupt",
          `The spill file ${path} is shorter than the ${size} bytes that were written`,
        );
      sum.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return sum.digest("hex");
  } finally {
    buffers.push(buffer);
  }
}
