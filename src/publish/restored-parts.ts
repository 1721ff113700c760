// What a start finds of one save: its records, and what lies in the spill. For a closed save the records are the truth. One
// that was open may have newer bytes in the spill than its records tell: the newest revision of each part counts.

import type { PartRecord } from "../catalog/mod.ts";
import {
  type PartContent,
  type PartNumber,
  partOfNumber,
  type SaveRecord,
  toRev,
} from "../model/mod.ts";
import type { PartRef } from "../spill/mod.ts";
import type { Engine } from "./engine.ts";

/** A part file as it is there. */
interface Found {
  readonly ref: PartRef;
  readonly size: number;
}

/** @param wasOpen it was being written: the file is as long as its record says, or as its parts in the spill reach. */
export async function restoredParts(
  engine: Engine,
  found: { record: SaveRecord; parts: readonly PartRecord[]; trusted: boolean },
  wasOpen: boolean,
): Promise<{ size: number; parts: Map<PartNumber, PartContent> }> {
  const { record } = found;
  const parts = new Map(
    found.parts.map(({ partNumber, content }) => [partNumber, restoredPart(content)] as const),
  );
  if (!wasOpen) return { size: record.size, parts };
  const newest = new Map<PartNumber, Found>();
  for (const file of await engine.spill.listParts(record.id))
    if (file.ref.rev > (newest.get(file.ref.partNumber)?.ref.rev ?? 0))
      newest.set(file.ref.partNumber, file);
  for (const [partNumber, part] of parts) {
    if (!("rev" in part) || (part.kind === "sealed" && part.at === "evicted")) continue;
    const file = newest.get(partNumber);
    const isAsRecorded = file?.ref.rev === part.rev && !isOutdated(part, file, found.trusted);
    if (isAsRecorded) newest.delete(partNumber);
    // Cut, or made a hole, right before the end: after a loss of power it may also be lost, which its hash then shows.
    if (file === undefined && found.trusted) parts.delete(partNumber);
  }
  for (const [partNumber, { ref, size }] of newest)
    parts.set(partNumber, { kind: "written", rev: ref.rev, filled: size, shared: size });
  let { size } = record;
  for (const [partNumber, part] of parts) {
    const length = part.kind === "written" ? part.filled : "size" in part ? part.size : 0;
    if (length > 0) size = Math.max(size, partOfNumber(engine.plan, partNumber).offset + length);
  }
  return { size, parts };
}

/** As of an fsync: its file is shorter where it ends in zeros, longer where it was written to since. */
function isOutdated(part: PartContent, file: Found, trusted: boolean): boolean {
  if (part.kind !== "frozen") return false;
  return file.size < part.size || (trusted && file.size > part.size);
}

/** A hash that is known is kept: a file that lost power does not have it any more, and the store refuses it. */
function restoredPart(content: PartRecord["content"]): PartContent {
  if (content.kind === "base") return { kind: "base" };
  const { kind: at, rev, size, sha256 } = content;
  if (sha256 === undefined) return { kind: "frozen", rev: toRev(rev), size };
  return { kind: "sealed", rev: toRev(rev), size, sha256, at };
}
