// A name in a directory, and what follows from it.

import { childDirectoryKey, childKey, type Key } from "../model/mod.ts";
import type { Content, CopyWant, Save } from "../publish/mod.ts";
import type { Node } from "./tree.ts";
import type { Found } from "./view.ts";

export interface Place {
  readonly parent: Node;
  readonly name: string;
}

export function keyOf(place: Place, kind: "file" | "directory"): Key {
  return kind === "directory"
    ? childDirectoryKey(place.parent.key, place.name)
    : childKey(place.parent.key, place.name);
}

/** What was found pending at a file's key, if anything: see `Slot.content`. */
export function pendingOf(found: Found): Save | CopyWant | undefined {
  if (found.kind === "directory" || found.current.kind === "remote") return undefined;
  return found.current.kind === "save" ? found.current.save : found.current.want;
}

/** All that lies underneath, which is readable under the present name only. */
export async function fetchBase(content: Content, signal: AbortSignal): Promise<void> {
  for (const partNumber of content.partNumbers()) await content.materialize(partNumber, signal);
}
