// Fails a test that stands still, with what everybody waits for.

import { systemClock } from "../../src/base/mod.ts";
import type { Running } from "./world.ts";

/** Nothing of what a test does takes that long on any machine, unless it waits for ever. */
const STILL_MS = 40_000;
const LOOK_MS = 500;

/** What `task` gives. @throws when nothing has moved for long: neither what `progress` says, nor what is pending. */
export async function watched<T>(
  running: Running,
  progress: () => unknown,
  task: Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const still = standsStill(running, progress, over.signal);
  still.catch(() => undefined); // ended with the task, or told by the race
  try {
    return await Promise.race([task, still]);
  } finally {
    over.abort();
  }
}

async function standsStill(
  running: Running,
  progress: () => unknown,
  over: AbortSignal,
): Promise<never> {
  const state = (): string =>
    JSON.stringify({
      progress: progress(),
      spill: running.spill.usage(),
      waiting: running.spill.waiting(),
      pending: running.publisher.pending(),
    });
  let last = state();
  let since = performance.now();
  for (;;) {
    await systemClock.sleep(LOOK_MS, over);
    const now = state();
    if (now !== last) since = performance.now();
    last = now;
    if (performance.now() - since > STILL_MS) throw new Error(`a deadlock: ${now}`);
  }
}
