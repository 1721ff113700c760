// What is at a key of the bucket must not be replaced or deleted while something here still needs it.

import type { Key } from "../model/mod.ts";
import type { Engine } from "./engine.ts";

/**
 * Resolves when nobody needs what is at `key` any more: neither who wants a copy of it, nor who has it open without a name.
 * @returns whether it had to wait: then what was to be done may not be wanted any more.
 */
export async function untilFree(engine: Engine, key: Key, signal: AbortSignal): Promise<boolean> {
  for (let waited = false; ; waited = true) {
    const copier = engine.slots.copierOf(key);
    if (copier !== undefined) await copier.changed.wait(signal);
    else if (engine.nameless.needs(key)) await engine.nameless.wait(signal);
    else return waited;
  }
}
