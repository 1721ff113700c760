// What is pending, for people: which file, what was promised, what is sent, what is waited for and since when.

import type { SaveState } from "../model/mod.ts";
import type { Engine } from "./engine.ts";
import type { Save } from "./save.ts";
import type { Slot } from "./slot.ts";

export interface Pending {
  /** Path below the mount point. */
  readonly path: string;
  /** Undefined for a copy or deletion. */
  readonly save: string | undefined;
  readonly state: SaveState["kind"] | "copy" | "delete";
  readonly size: number;
  readonly partsAcknowledged: number;
  readonly partsTotal: number;
  /** Milliseconds since the epoch; undefined when it is not waiting for anything. */
  readonly since: number | undefined;
  /** A close or a change of names has returned for it. */
  readonly promised: boolean;
  readonly error: string | undefined;
}

/** Everything that is pending, in no particular order. */
export function listPending(engine: Engine): Pending[] {
  const pending: Pending[] = [];
  for (const slot of engine.slots.values()) {
    for (const save of [slot.closed, slot.next, slot.open, slot.interrupted])
      if (save !== undefined) pending.push(ofSave(engine, slot, save));
    if (slot.want !== undefined) pending.push(ofWant(slot, slot.want));
  }
  return pending;
}

function ofSave(engine: Engine, slot: Slot, save: Save): Pending {
  const { state } = save.record;
  const upload = engine.slots.get(save.uploadKey)?.upload;
  return {
    path: slot.key,
    save: save.record.id,
    state: state.kind,
    size: save.content.size,
    partsAcknowledged:
      upload === undefined ? 0 : Math.min(upload.acks.size, save.content.partCount),
    partsTotal: save.content.partCount,
    since: "closedAt" in state ? state.closedAt : "since" in state ? state.since : undefined,
    promised: "closedAt" in state,
    error:
      "why" in state
        ? `${state.why}${slot.lastError === undefined ? "" : `: ${slot.lastError}`}`
        : slot.lastError,
  };
}

function ofWant(slot: Slot, want: NonNullable<Slot["want"]>): Pending {
  const copy = want.kind === "copy";
  return {
    path: slot.key,
    save: undefined,
    state: copy ? "copy" : "delete",
    size: copy ? want.size : 0,
    partsAcknowledged: 0,
    partsTotal: 0,
    since: undefined,
    promised: true,
    error: slot.lastError,
  };
}
