// A save that the store or the disk has refused.

import { codeOf, describe } from "../base/mod.ts";
import type { Engine } from "./engine.ts";
import type { Save } from "./save.ts";

/** It is never published by itself from now on, and the next call on its file says why. */
export async function refuseSave(engine: Engine, save: Save, error: unknown): Promise<void> {
  if (save.record.state.kind !== "open") return;
  save.record = save.after({ kind: "refuse", why: codeOf(error) });
  if (save.isNameless) return;
  await engine.catalog.apply([{ put: "save", record: save.record }], { sync: false });
  engine.log.error(
    { key: save.record.key, err: error },
    `${save.record.key} cannot be saved: ${describe(error)}`,
  );
}
