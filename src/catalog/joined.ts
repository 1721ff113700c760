// The bytes of a small file from its records.

import type { DataRecord } from "./records.ts";

/** What the writes give, one after the other. */
export function joined(pieces: readonly DataRecord[]): Buffer {
  let all = Buffer.alloc(0);
  for (const { size, offset, bytes } of pieces) {
    const next = Buffer.alloc(size);
    all.copy(next);
    next.set(bytes, offset);
    all = next;
  }
  return all;
}
