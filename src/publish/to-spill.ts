// Start-up: what the catalog has of small files goes to the spill, so that from there on there is one kind of content only.

import { groupBy } from "../base/mod.ts";
import { type CatalogContents, type Change, joined } from "../catalog/mod.ts";
import { toPartNumber } from "../model/mod.ts";
import type { Engine } from "./engine.ts";

/** What belongs to no save is deleted: its save was dropped while it was still written to. */
export async function toSpill(engine: Engine, contents: CatalogContents): Promise<void> {
  const { spill, catalog } = engine;
  const pieces = groupBy(contents.data, ({ save }) => save);
  for (const { id, key, ino, attributes } of contents.saves) {
    const own = pieces.get(id) ?? [];
    const last = own.at(-1);
    if (last === undefined) continue;
    const ref = { save: id, partNumber: toPartNumber(1), rev: last.rev };
    await spill.createSave(id, { key, ino, attributes });
    await spill.setSize(ref, 0);
    await spill.write(ref, 0, joined(own));
    await spill.sync(id, [ref]);
  }
  const done = contents.data.map(({ save, index }): Change => ({ del: "data", save, index }));
  if (done.length > 0) await catalog.apply(done, { sync: true });
}
