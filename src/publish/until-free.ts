// What is at a key of the bucket must not be replaced or deleted while something here still needs it.

import type { Key } from "../model/mod.ts";
import type { Engine } from "./engine.ts";

/**
 * Resolves when nobody needs what is at `key` any more: neither who wants a copy of it, nor whose unchanged parts it has.
 * @returns whether it had to wait: then what was to be done may not be wanted any more.
 */
export async function untilFree(engine: Engine, key: Key, signal: AbortSignal): Promise<boolean> {
  const { needs, slots } = engine;
  if (slots.copierOf(key) === undefined && !needs.has(key)) return false;
  using _ = needs.waitingAt(key);
  for (;;) {
    const copier = slots.copierOf(key);
    if (copier !== undefined) await copier.changed.wait(signal);
    else if (needs.has(key)) await needs.wait(key, signal);
    else return true;
  }
}
