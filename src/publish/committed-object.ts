// What the catalog keeps of an object that a save has become.

import type { ObjectRecord } from "../catalog/mod.ts";
import type { Etag } from "../model/mod.ts";
import type { Engine } from "./engine.ts";
import type { Save } from "./save.ts";
import type { Slot } from "./slot.ts";

/** The object of version `etag` that the content of `save` is now, part by part. */
export function committedObject(
  { plan }: Engine,
  { key, upload }: Slot,
  save: Save,
  etag: Etag,
): ObjectRecord {
  const { content, record } = save;
  const parts = content.partNumbers().map((partNumber) => {
    const part = content.part(partNumber);
    const sha256 =
      part.kind === "sealed" ? part.sha256 : (upload?.acks.get(partNumber)?.sha256 ?? "");
    return { sha256, size: content.extent(partNumber).size };
  });
  return { key, etag, size: content.size, attributes: record.attributes, parts, plan };
}
