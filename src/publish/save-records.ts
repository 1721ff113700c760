// What the catalog is told of a save.

import { unreachable } from "../base/mod.ts";
import type { Change, PartRecord } from "../catalog/mod.ts";
import { type Base, type PartNumber, type SaveRecord, toPartNumber } from "../model/mod.ts";
import type { Save } from "./save.ts";

/** Records of all its parts, as they are. Holes have none, also where there was something before. */
export function partChanges(save: Save): Change[] {
  const changes = droppedChanges(save);
  for (const partNumber of save.content.partNumbers()) changes.push(partChange(save, partNumber));
  return changes;
}

/** The record of one part, as it is. */
export function partChange(save: Save, partNumber: PartNumber): Change {
  const { id } = save.record;
  const content = contentRecord(save, partNumber);
  if (content === undefined) return { del: "part", save: id, partNumber };
  return { put: "part", record: { save: id, partNumber, content } };
}

function contentRecord(save: Save, partNumber: PartNumber): PartRecord["content"] | undefined {
  const part = save.content.part(partNumber);
  switch (part.kind) {
    case "hole":
      return undefined;
    case "base":
      return { kind: "base" };
    case "written":
      return { kind: "spill", rev: part.rev, size: save.content.extent(partNumber).size };
    case "frozen":
      return { kind: "spill", rev: part.rev, size: part.size };
    case "sealed":
      return { kind: part.at, rev: part.rev, size: part.size, sha256: part.sha256 };
    default:
      return unreachable(part);
  }
}

/** It was cut, or extended by nothing that lies in the spill: after a crash that could not be seen from its parts. */
export function sizeChanges(save: Save): Change[] {
  save.record = { ...save.record, size: save.content.size };
  if (save.isNameless) return [];
  return [{ put: "save", record: save.record }, ...droppedChanges(save)];
}

/** Parts that are holes now, or lie beyond the end. */
function droppedChanges(save: Save): Change[] {
  const { id } = save.record;
  return save.content
    .takeDropped()
    .map((partNumber): Change => ({ del: "part", save: id, partNumber }));
}

/** Nothing of it is kept; what is about to be recorded of it is not any more. */
export function dropChanges(save: Save): Change[] {
  save.isDropped = true;
  const { id } = save.record;
  // To look for its parts in the catalog costs as much as the rest: a small file has one at most.
  const parts: Change = save.content.isInMemory
    ? { del: "part", save: id, partNumber: toPartNumber(1) }
    : { del: "parts", save: id };
  return [{ del: "save", id }, parts, ...save.content.dropChanges()];
}

/** A save on top of one that was committed: what was underneath both is in the new object; another source stays. */
export function rebased(record: SaveRecord, committed: SaveRecord, base: Base): SaveRecord {
  const { source, ...rest } = record;
  const isSame = source?.key === committed.source?.key && source?.etag === committed.source?.etag;
  return { ...rest, base, ...(source === undefined || isSame ? {} : { source }) };
}
