// Before a file gets another part: the network, where its close will wait for it anyway, and the spill must have caught up.

import type { Engine } from "./engine.ts";
import type { Save } from "./save.ts";

/** A part that is about to begin, not the first of its file. */
export interface PartStart {
  /** Bytes that it may get. */
  readonly size: number;
  /** It is needed to publish what was closed: no writer waits for it. */
  readonly promised: boolean;
}

/** Resolves when it may. @throws `NoSpace` when nothing could make room; `Interrupted`. */
export async function startPart(
  engine: Engine,
  save: Save,
  { size, promised }: PartStart,
  signal?: AbortSignal,
): Promise<void> {
  if (engine.paced && !promised && isSentAhead(save)) await engine.backlog.turn(signal);
  await engine.spill.startPart({ save: save.record.id, size, promised }, signal);
}

/** Its parts go to the store while it is written, and its close waits for that. */
function isSentAhead(save: Save): boolean {
  const { held, state } = save.record;
  if (state.kind !== "open" || save.isNameless) return false;
  return held === undefined || held.final !== undefined;
}
