// The heart: what a save is, and how its state may change. Pure; `publish` performs the effects and writes the new
// state to the catalog before it acts on it.

import { type Code, KodomountError } from "../base/mod.ts";
import type { Attributes } from "./attributes.ts";
import type { Held } from "./held.ts";
import type { Etag, Ino, Key, Rev, SaveId, Sha256 } from "./ids.ts";

/**
 * What a close or fsync has promised of one version of one file's content. "Committed" and "discarded" are not states:
 * the record is gone then.
 */
export type SaveState =
  /** May be written; nobody was promised anything. */
  | { readonly kind: "open" }
  /** A write, fsync or refusal of the store failed: never published by itself, the next call on the file says why. */
  | { readonly kind: "refused"; readonly why: Code }
  /** Orderly closed under a name that is certainly temporary: waits for its rename, is never published without one. */
  | { readonly kind: "held"; readonly size: number; readonly since: number }
  /** Orderly closed: must be published or parked. */
  | {
      readonly kind: "closed";
      readonly size: number;
      readonly closedAt: number;
      readonly order: number;
    }
  /** The request that makes it visible was sent; its outcome is settled by HEAD and token, never guessed. */
  | {
      readonly kind: "completing";
      readonly size: number;
      readonly closedAt: number;
      readonly order: number;
      /** What the object's metadata will say: the save's own id, or what the upload carries. */
      readonly token: string;
    }
  /** Refused for good: kept, shown, the operator decides. */
  | {
      readonly kind: "parked";
      readonly size: number;
      readonly closedAt: number;
      readonly order: number;
      readonly why: Code;
    }
  /** Its writer died: kept, hidden, never published by itself, taken over by the next save of the key. */
  | { readonly kind: "interrupted"; readonly since: number; readonly size: number };

export type SaveEvent =
  | {
      readonly kind: "close";
      readonly size: number;
      readonly closedAt: number;
      readonly order: number;
    }
  | { readonly kind: "hold"; readonly size: number; readonly since: number }
  | { readonly kind: "refuse"; readonly why: Code }
  | { readonly kind: "interrupt"; readonly since: number; readonly size: number }
  | { readonly kind: "complete"; readonly token: string }
  /** HEAD says that the completing request had no effect. */
  | { readonly kind: "settle" }
  | { readonly kind: "park"; readonly why: Code }
  /** The operator says try again. */
  | { readonly kind: "unpark" }
  /** The machine has lost power before its content was durable, and the bucket does not have it. */
  | { readonly kind: "distrust"; readonly since: number };

/**
 * The state after `event`.
 * @throws `Programmer` for an event that cannot happen in that state (docs/architecture.md has the table).
 */
export function transition(state: SaveState, event: SaveEvent): SaveState {
  switch (event.kind) {
    case "close": {
      const { size, closedAt, order } = event;
      if (CLOSABLE.has(state.kind)) return { kind: "closed", size, closedAt, order };
      break;
    }
    case "hold":
      if (state.kind === "open") return { kind: "held", size: event.size, since: event.since };
      break;
    case "refuse":
      if (state.kind === "open") return { kind: "refused", why: event.why };
      if (state.kind === "refused") return state;
      break;
    case "interrupt":
      if (state.kind === "open" || state.kind === "refused" || state.kind === "held")
        return { kind: "interrupted", since: event.since, size: event.size };
      break;
    case "complete":
      if (state.kind === "closed") return { ...state, kind: "completing", token: event.token };
      break;
    case "settle":
      if (state.kind === "completing") return closedAgain(state);
      break;
    case "park":
      if (state.kind === "closed" || state.kind === "completing")
        return { ...closedAgain(state), kind: "parked", why: event.why };
      break;
    case "unpark":
      if (state.kind === "parked") return closedAgain(state);
      break;
    case "distrust":
      if (state.kind === "closed" || state.kind === "completing")
        return { kind: "interrupted", since: event.since, size: state.size };
      break;
  }
  throw new KodomountError("Programmer", `A save that is ${state.kind} cannot ${event.kind}`);
}

/** A held one is closed by its rename, an interrupted one by the operator. */
const CLOSABLE: ReadonlySet<SaveState["kind"]> = new Set([
  "open",
  "refused",
  "held",
  "interrupted",
]);

function closedAgain(state: {
  size: number;
  closedAt: number;
  order: number;
}): SaveState & { kind: "closed" } {
  return { kind: "closed", size: state.size, closedAt: state.closedAt, order: state.order };
}

/** Whether a close has returned for it: its content must reach the bucket, or the operator. */
export function isPromised(state: SaveState): boolean {
  return state.kind === "closed" || state.kind === "completing" || state.kind === "parked";
}

/** The object that a save replaces, as last seen: how newer work of another client is told from what we know. */
export type Base =
  | { readonly kind: "absent" }
  | { readonly kind: "object"; readonly etag: Etag; readonly size: number };

/** A version of an object that unchanged parts of a save lie in. */
export interface Source {
  readonly key: Key;
  readonly etag: Etag;
  readonly size: number;
}

/** Where its unchanged parts lie: in the object that it replaces, unless it is a copy of another one. */
export function sourceOf({ key, base, source }: SaveRecord): Source | undefined {
  if (source !== undefined) return source;
  return base.kind === "object" ? { key, etag: base.etag, size: base.size } : undefined;
}

/** One version of one file's content on its way to one key. */
export interface SaveRecord {
  readonly id: SaveId;
  readonly key: Key;
  readonly ino: Ino;
  readonly base: Base;
  /** The object of another key that its unchanged parts lie in. */
  readonly source?: Source;
  readonly attributes: Attributes;
  /** Bytes, as of the last record; a `closed` state has the final size. */
  readonly size: number;
  /** Its content, as of this record, survives a loss of power: by an fsync of its writer, or a close that needed it. */
  readonly fsynced: boolean;
  /** Larger than the spill has room for: what the store has acknowledged of it goes, so its close waits for the bucket. */
  readonly streaming?: true;
  /** Its name is certainly temporary. */
  readonly held?: Held;
  /** Of uploads that are gone: a request that completed one of them may have made the object all the same, or still make it. */
  readonly tokens?: readonly string[];
  readonly state: SaveState;
}

/** Content of one part of a save. */
export type PartContent =
  /** Zeros; nothing in the spill. */
  | { readonly kind: "hole" }
  /** The unchanged range of the base object. */
  | { readonly kind: "base" }
  /**
   * In the spill, may still change. `filled`: bytes from its start that were written without a gap. `shared`: bytes from
   * its start that another, sealed revision has in the same file: they must not be written to.
   */
  | {
      readonly kind: "written";
      readonly rev: Rev;
      readonly filled: number;
      readonly shared: number;
    }
  /** In the spill, will not change under this revision; its hash is not known yet. */
  | { readonly kind: "frozen"; readonly rev: Rev; readonly size: number }
  | Sealed;

export interface Sealed {
  readonly kind: "sealed";
  readonly rev: Rev;
  readonly size: number;
  readonly sha256: Sha256;
  /** `evicted`: only the store has the bytes, in an upload that is not complete yet. */
  readonly at: "spill" | "evicted";
}

/**
 * What shall be at a key and not yet is, when it is not the content of a closed save (a closed save is such a want by
 * itself, and the stronger one).
 */
export type Want =
  /**
   * The content that is at `from`, by a server-side copy, with these attributes (absent: those of the source).
   * `order` as in a closed save.
   */
  | {
      readonly kind: "copy";
      readonly from: Key;
      readonly etag: Etag;
      readonly size: number;
      readonly attributes?: Attributes;
      readonly order: number;
    }
  /** Nothing, once nobody wants a copy of it any more. `etag`: what we mean to delete, if known. */
  | { readonly kind: "absent"; readonly etag?: Etag }
  /**
   * The object that is there, `etag`, with these attributes in its metadata. `token`: what that will say once they are;
   * `since`: when they were changed last, milliseconds since the epoch.
   */
  | {
      readonly kind: "attributes";
      readonly etag: Etag;
      readonly size: number;
      readonly attributes: Attributes;
      readonly token: string;
      readonly since: number;
    };
