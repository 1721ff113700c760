// Who reads committed objects: on the calling thread, or (`read-thread.ts`) by a thread of its own that has this one in it.

import type { Etag, Key } from "../model/mod.ts";

/** One version of an object. */
export interface Version {
  readonly key: Key;
  readonly etag: Etag;
  /** Bytes. */
  readonly size: number;
}

/** A range that is read. */
export interface ReadRequest {
  readonly version: Version;
  readonly offset: number;
  readonly length: number;
}

/** Where the bytes may be written by whoever has them, instead of being handed from thread to thread. */
export interface DirectReply {
  /** A descriptor of this process. */
  readonly fd: number;
  /** What goes before the bytes, in the same write; its first four bytes become the length of all, little-endian. */
  readonly head: Uint8Array;
}

export interface Reader {
  /**
   * The bytes, fewer at the end of the object; or, with `direct`, "written" when they were written there.
   * @throws `Stale` when the object is another version by now: never a mixture. `Interrupted` when `signal` aborts.
   */
  read(
    request: ReadRequest,
    signal: AbortSignal,
    direct?: DirectReply,
  ): Promise<Uint8Array | "written">;
  /** Nobody has the version open any more: what is fetched of it ahead is given up. */
  forget(version: Pick<Version, "key" | "etag">): void;
  stop(): Promise<void>;
}

/** Writes the reply in one call, as a device of messages wants it. @throws the system's error. */
export function frame(head: Uint8Array, pieces: readonly Uint8Array[]): Uint8Array[] {
  const length = pieces.reduce((sum, piece) => sum + piece.length, head.length);
  new DataView(head.buffer, head.byteOffset).setUint32(0, length, true);
  return [head, ...pieces];
}
