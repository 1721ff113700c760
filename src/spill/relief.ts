// What the budget asks of who knows what the files are for: what will be free by itself, and what may go.

import type { SaveId } from "../model/mod.ts";

/** What was done so that somebody can begin a part. */
export type Made =
  /** Bytes were freed. */
  | { readonly kind: "room" }
  /** Nothing yet, but something is under way that will free bytes. */
  | { readonly kind: "later" }
  /** This one may begin a part although there is no room: it has nothing left to give, and frees what it takes. */
  | { readonly kind: "one"; readonly save: SaveId }
  | { readonly kind: "nothing" };

export interface Relief {
  /** Bytes that will be free by themselves: of what is on its way to the bucket and does not wait for room itself. */
  expected(waiting: ReadonlySet<SaveId>): number;
  /** Its parts are freed as it is sent, so that room for it comes back soonest: it goes first. */
  isStreaming(save: SaveId): boolean;
  /** Nobody of `waiting` can begin a part, and what is expected would not change that. Never called twice at a time. */
  make(waiting: ReadonlySet<SaveId>): Promise<Made>;
}

/** Before anybody has said what the files are for. */
export const NO_RELIEF: Relief = {
  expected: () => 0,
  isStreaming: () => false,
  make: () => Promise.resolve({ kind: "nothing" }),
};
