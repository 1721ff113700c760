// What the catalog is told of a save.

import type { Change } from "../catalog/mod.ts";
import type { Base, SaveRecord } from "../model/mod.ts";
import { toPartNumber } from "../model/mod.ts";
import type { Save } from "./save.ts";

/** Records of all its parts, as they are. Holes have none, also where there was something before. */
export function partChanges(save: Save): Change[] {
  const changes = droppedChanges(save);
  for (const partNumber of save.content.partNumbers()) {
    const part = save.content.part(partNumber);
    if (part.kind === "hole") {
      changes.push({ del: "part", save: save.record.id, partNumber });
      continue;
    }
    const size =
      part.kind === "written"
        ? save.content.extent(partNumber).size
        : part.kind === "base"
          ? 0
          : part.size;
    const sha256 = part.kind === "sealed" ? { sha256: part.sha256 } : {};
    const content =
      part.kind === "base"
        ? ({ kind: "base" } as const)
        : ({ kind: "spill", rev: part.rev, size, ...sha256 } as const);
    changes.push({ put: "part", record: { save: save.record.id, partNumber, content } });
  }
  return changes;
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
