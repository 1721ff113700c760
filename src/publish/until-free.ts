// When something may become visible at a key of the bucket, or what is there may go: in its turn, and not while something
// here still needs what is there.

import type { Key } from "../model/mod.ts";
import type { Engine } from "./engine.ts";
import { directoryOf } from "./order.ts";

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

/** Resolves when what has the place `order` may become visible at `key`. What it was to be may have changed meanwhile. */
export async function untilTurn(
  engine: Engine,
  key: Key,
  order: number,
  signal: AbortSignal,
): Promise<void> {
  await engine.order.turn(order, directoryOf(key), signal);
  await untilFree(engine, key, signal);
  await engine.freeze.turn(key, signal);
}
