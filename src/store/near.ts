// Where a store is near, and where it is far.

/** A connection that opens sooner is one to a near store: neither its losses nor its round trips limit it. Milliseconds. */
export const NEAR_MS = 5;
