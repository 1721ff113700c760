// Content that says of each of its bytes where it belongs: file, version and position, so that a mixture of two versions,
// or a piece at a wrong place, is not the content of anything that a program wrote.

import { createHash } from "node:crypto";

const LINE_SIZE = 64;

/** `size` bytes of `version` of a file called `name`, from `offset` of it. */
export function contentOf(
  name: string,
  version: number,
  range: { offset: number; size: number },
): Buffer {
  const first = Math.floor(range.offset / LINE_SIZE);
  const last = Math.ceil((range.offset + range.size) / LINE_SIZE);
  const lines = Array.from({ length: last - first }, (_, index) =>
    line(name, version, first + index),
  );
  const skip = range.offset - first * LINE_SIZE;
  return Buffer.from(lines.join("")).subarray(skip, skip + range.size);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function line(name: string, version: number, index: number): string {
  return (
    `${name} v${version} @${index * LINE_SIZE} `
      .padEnd(LINE_SIZE - 1, ".")
      .slice(-(LINE_SIZE - 1)) + "\n"
  );
}
