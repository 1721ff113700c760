// Which bytes of a file lie where in the spill, and which are nowhere: from the names and sizes of part files, and from
// what the catalog says of them, if it can still be read. Pure.

import type { PartRecord } from "../catalog/mod.ts";
import {
  type Part,
  type PartNumber,
  type PartPlan,
  partCount,
  partOfNumber,
  partSizeIn,
  type SaveRecord,
  type Sha256,
  toPartNumber,
} from "../model/mod.ts";

export interface PartFile {
  readonly partNumber: PartNumber;
  readonly rev: number;
  /** Bytes. */
  readonly size: number;
}

/** Bytes of a part file, from its start, that belong at `offset` of the file. */
export interface Piece extends PartFile {
  readonly offset: number;
  /** Of these bytes, where it is known. */
  readonly sha256: Sha256 | undefined;
}

export interface Missing {
  readonly offset: number;
  readonly size: number;
  readonly why: string;
}

export interface Layout {
  readonly size: number;
  /** In the order of their offsets; what is between them is missing, or zeros. */
  readonly pieces: readonly Piece[];
  readonly missing: readonly Missing[];
}

/**
 * @param found.record what the catalog knows of the save; without it the newest revision of each part counts, the file is as
 *   long as they reach, and a part without a file is missing.
 */
export function layOut(
  plan: PartPlan,
  found: {
    readonly files: readonly PartFile[];
    readonly record?: SaveRecord | undefined;
    readonly parts?: readonly PartRecord[] | undefined;
  },
): Layout {
  const partsMax = plan.tiers.reduce((sum, { count }) => sum + count, 0);
  const files = found.files.filter(({ partNumber }) => partNumber <= partsMax);
  const newest = newestOf(files);
  const { record, parts = [] } = found;
  const records = new Map(parts.map((part) => [part.partNumber, part.content]));
  const wasOpen = record?.state.kind === "open" || record?.state.kind === "refused";
  const size = sizeOf(plan, newest, record, wasOpen);
  const pieces: Piece[] = [];
  const missing: Missing[] = [];
  for (let number = 1; number <= partCount(plan, size); number += 1) {
    const part = partOfNumber(plan, toPartNumber(number));
    const length = partSizeIn(part, size);
    const known = records.get(part.partNumber);
    const latest = newest.get(part.partNumber);
    const isNewer = latest !== undefined && (known?.kind !== "spill" || latest.rev > known.rev);
    if (record === undefined || (wasOpen && isNewer)) take(part, length, latest, undefined);
    else if (known?.kind === "spill") {
      const file = files.find(
        (each) => each.partNumber === part.partNumber && each.rev === known.rev,
      );
      take(part, length, file, known.sha256);
    } else if (known !== undefined)
      missing.push({
        offset: part.offset,
        size: length,
        why: known.kind === "base" ? BASE : EVICTED,
      });
  }
  return { size, pieces, missing };

  function take(
    { partNumber, offset }: Part,
    length: number,
    file: PartFile | undefined,
    sha256: Sha256 | undefined,
  ): void {
    if (file === undefined) return void missing.push({ offset, size: length, why: NO_FILE });
    const here = Math.min(file.size, length);
    if (here > 0)
      pieces.push({
        partNumber,
        rev: file.rev,
        offset,
        size: here,
        sha256: here < length ? undefined : sha256,
      });
    if (here < length) missing.push({ offset: offset + here, size: length - here, why: SHORT });
  }
}

const BASE = "unchanged from the object that was in the bucket";
const EVICTED = "in an upload that was not complete: the file is larger than the spill";
const NO_FILE = "not in the spill: never written, or unchanged, or sent and freed";
const SHORT = "not in the part's file: never written, or cut off";

function newestOf(files: readonly PartFile[]): Map<PartNumber, PartFile> {
  const newest = new Map<PartNumber, PartFile>();
  for (const file of files)
    if ((newest.get(file.partNumber)?.rev ?? 0) < file.rev) newest.set(file.partNumber, file);
  return newest;
}

/** What a file that was still written to had in the spill may be newer than its record. */
function sizeOf(
  plan: PartPlan,
  newest: ReadonlyMap<PartNumber, PartFile>,
  record: SaveRecord | undefined,
  wasOpen: boolean,
): number {
  if (record !== undefined && !wasOpen)
    return "size" in record.state ? record.state.size : record.size;
  let size = record?.size ?? 0;
  for (const file of newest.values()) {
    const part = partOfNumber(plan, file.partNumber);
    size = Math.max(size, part.offset + Math.min(file.size, part.size));
  }
  return size;
}
