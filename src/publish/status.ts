// What is pending, for people: which file, what was promised, what is sent, what is waited for and since when.

import type { Code } from "../base/mod.ts";
import { partCount, type SaveState, type Want } from "../model/mod.ts";
import type { Engine } from "./engine.ts";
import { isHeld } from "./evidence.ts";
import { directoryOf } from "./order.ts";
import type { Save } from "./save.ts";
import type { Slot } from "./slot.ts";

/**
 * `writer`: the close, by whom it is written. `rename`: the final name. `bytes`: the store, to take what is left. `order`:
 * what was closed earlier in its directory. `answer`: the store's word that it is complete. `copies`: what is to be copied
 * from it first. `store`: the store, to copy or delete. `operator`: an order.
 */
export type WaitsFor =
  | "writer"
  | "rename"
  | "bytes"
  | "order"
  | "answer"
  | "copies"
  | "store"
  | "operator";

export interface Pending {
  /** Path below the mount point. */
  readonly path: string;
  /** Undefined for a want: a copy, a deletion, attributes. */
  readonly save: string | undefined;
  readonly state: SaveState["kind"] | "copy" | "delete" | "attributes";
  readonly size: number;
  /** Parts, and their bytes, that the store has as they are now. */
  readonly partsAcknowledged: number;
  readonly bytesAcknowledged: number;
  readonly partsTotal: number;
  readonly waitsFor: WaitsFor;
  /** Milliseconds since the epoch; undefined when it is not waiting for anything. */
  readonly since: number | undefined;
  /** Larger than the spill: what the store has of it is not kept here. */
  readonly streaming: boolean;
  /** A close or a change of names has returned for it. */
  readonly promised: boolean;
  /** Why it is parked or refused. */
  readonly why: Code | undefined;
  readonly error: string | undefined;
}

/** Everything that is pending, in no particular order. */
export function listPending(engine: Engine): Pending[] {
  const pending: Pending[] = [];
  for (const slot of engine.slots.values()) {
    for (const save of [slot.closed, slot.next, slot.open, slot.interrupted])
      if (save !== undefined) pending.push(ofSave(engine, slot, save));
    if (slot.want !== undefined) pending.push(ofWant(engine, slot, slot.want));
  }
  return pending;
}

function ofSave(engine: Engine, slot: Slot, save: Save): Pending {
  const { state } = save.record;
  const acknowledged = acknowledgedOf(engine, save);
  const why = "why" in state ? state.why : undefined;
  return {
    path: slot.key,
    save: save.record.id,
    state: state.kind,
    size: save.content.size,
    partsAcknowledged: acknowledged.parts,
    bytesAcknowledged: acknowledged.bytes,
    partsTotal: save.content.partCount,
    waitsFor: waitsFor(engine, slot, save, acknowledged.parts),
    since: "closedAt" in state ? state.closedAt : "since" in state ? state.since : undefined,
    streaming: save.record.streaming === true,
    promised: "closedAt" in state,
    why,
    error: why === undefined ? errorOf(engine, slot, save) : inWords(why, slot.lastError),
  };
}

/** What the upload holds of this very content: of another save's parts only what is the same. */
function acknowledgedOf(engine: Engine, save: Save): { parts: number; bytes: number } {
  const upload = engine.slots.get(save.uploadKey)?.upload;
  let parts = 0;
  let bytes = 0;
  if (upload === undefined) return { parts, bytes };
  const count = partCount(engine.plan, save.content.size);
  for (const partNumber of upload.acks.keys()) {
    if (partNumber > count || !isHeld(save, upload, partNumber)) continue;
    parts += 1;
    bytes += save.content.extent(partNumber).size;
  }
  return { parts, bytes };
}

function waitsFor(engine: Engine, slot: Slot, save: Save, acknowledged: number): WaitsFor {
  const { state } = save.record;
  switch (state.kind) {
    case "open":
    case "refused":
      return "writer";
    case "held":
      return "rename";
    case "completing":
      return save.content.partCount > 1 ? "answer" : "bytes";
    case "parked":
    case "interrupted":
      return "operator";
    case "closed": {
      const isSent = save.content.partCount <= 1 || acknowledged === save.content.partCount;
      if (!isSent) return "bytes";
      return engine.order.isTurn(state.order, directoryOf(slot.key)) ? "bytes" : "order";
    }
  }
}

/** What is wrong now, else what was wrong last. */
function errorOf(engine: Engine, slot: Slot, save: Save): string | undefined {
  const { troubles } = engine;
  return (troubles.of(slot.key) ?? troubles.of(save.uploadKey))?.error ?? slot.lastError;
}

function inWords(why: Code, lastError: string | undefined): string {
  return lastError === undefined ? why : `${why}: ${lastError}`;
}

function ofWant(engine: Engine, slot: Slot, want: Want): Pending {
  const hasCopier = engine.slots.copierOf(slot.key) !== undefined;
  return {
    path: slot.key,
    save: undefined,
    state: want.kind === "absent" ? "delete" : want.kind,
    size: want.kind === "absent" ? 0 : want.size,
    partsAcknowledged: 0,
    bytesAcknowledged: 0,
    partsTotal: 0,
    waitsFor: hasCopier ? "copies" : "store",
    since: sinceOf(engine, slot, want),
    streaming: false,
    promised: true,
    why: undefined,
    error: engine.troubles.of(slot.key)?.error ?? slot.lastError,
  };
}

function sinceOf(engine: Engine, slot: Slot, want: Want): number | undefined {
  switch (want.kind) {
    case "copy":
      return engine.order.closedAt(want.order);
    case "absent":
      return engine.troubles.of(slot.key)?.since;
    case "attributes":
      return want.since;
  }
}
