// What must not be left when everything is published and the mount has been stopped and started: spill, records of what is
// owed, uploads at the store.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../../src/base/mod.ts";
import type { Catalog, CatalogContents } from "../../../src/catalog/mod.ts";
import type { Machine } from "./machine.ts";

/** What is aborted or freed in the background is, after this long at most. */
const BACKGROUND_MAX_MS = 5000;

export interface Excuses {
  /** A crash or a lost reply explains uploads that the catalog never knew. */
  readonly unknownUploads: boolean;
  /** Where the program has run again: an upload of another file waits for the next save of that. */
  readonly root: string;
}

/** What is left, in sentences. */
export async function leftovers(
  machine: Machine,
  catalog: Catalog,
  excuses: Excuses,
): Promise<string[]> {
  const end = systemClock.monotonic() + BACKGROUND_MAX_MS;
  for (;;) {
    const found = await look(machine, catalog, excuses);
    if (found.length === 0 || systemClock.monotonic() > end)
      return found.map((what) => `left over: ${what}`);
    await systemClock.sleep(5);
  }
}

async function look(machine: Machine, catalog: Catalog, excuses: Excuses): Promise<string[]> {
  const { unknownUploads, root } = excuses;
  const isExcused = (key: string): boolean => !key.startsWith(`${root}/`);
  const contents = await catalog.contents();
  const waiting = new Set(
    contents.uploads.filter(({ key }) => isExcused(key)).map(({ uploadId }) => uploadId),
  );
  const found = (await readdir(join(machine.stateDir, "spill"))).map((name) => `spill ${name}`);
  const owed: Partial<CatalogContents> = {
    ...contents,
    replies: [],
    uploads: contents.uploads.filter(({ key }) => !isExcused(key)),
    acks: contents.acks.filter(({ uploadId }) => !waiting.has(uploadId)),
  };
  for (const [kind, list] of Object.entries(owed))
    if (list.length > 0) found.push(`${list.length} ${kind} in the catalog`);
  for (const { key, uploadId } of await machine.emulator.uploads()) {
    const isUnknown = unknownUploads && !machine.database.uploads.has(uploadId);
    if (!isUnknown && !isExcused(key)) found.push(`upload of ${key}`);
  }
  return found;
}
