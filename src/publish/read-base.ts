// Reads what lies underneath a save that modifies an object: exactly the version that it was begun on.

import { codeOf, invariant, KodomountError } from "../base/mod.ts";
import { sourceOf } from "../model/mod.ts";
import type { ByteRange } from "../store/mod.ts";
import type { Engine } from "./engine.ts";
import type { Save } from "./save.ts";

/** @throws `Stale` when the object is another version by now, and not by us. */
export async function readBase(
  engine: Engine,
  save: Save,
  range: ByteRange,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  for (;;) {
    const source = sourceOf(save.record);
    invariant(source !== undefined, `${save.record.key} has an object underneath`);
    const { key, etag } = source;
    try {
      return (await engine.store.get({ key, range, etag }, signal)).bytes;
    } catch (error) {
      if (codeOf(error) !== "PreconditionFailed" && codeOf(error) !== "NotFound") throw error;
      if (await isReplacedByUs(engine, save, signal)) continue;
      throw new KodomountError(
        "Stale",
        `${key} was changed by another client while it was being modified here`,
        { cause: error },
      );
    }
  }
}

/** A save of ours is becoming visible at this moment: when it is through, what lies underneath is that. */
async function isReplacedByUs(engine: Engine, save: Save, signal?: AbortSignal): Promise<boolean> {
  const before = save.record.base;
  const slot = engine.slots.get(save.record.key);
  if (slot?.closed?.record.state.kind === "completing") await slot.changed.wait(signal);
  return save.record.base !== before;
}
