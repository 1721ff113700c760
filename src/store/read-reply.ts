// The reply to a GET: whether it is what was asked for, and its bytes. Nothing is read before that is clear, so that a
// store which ignores a range cannot fill the memory.

import { Readable } from "node:stream";
import { KodomountError } from "../base/mod.ts";
import { type Etag, toEtag } from "../model/mod.ts";
import type { ByteRange } from "./object-store.ts";

export interface Wanted {
  readonly range?: ByteRange;
  readonly etag?: Etag;
}

/** The fields of the SDK's reply that are looked at. */
export interface GetReply {
  readonly Body?: unknown;
  readonly ETag?: string | undefined;
  readonly ContentLength?: number | undefined;
  readonly ContentRange?: string | undefined;
}

/** Gives the bytes, exactly those wanted, to `sink`. @returns the version that they are of. */
export async function readReply(
  wanted: Wanted,
  reply: GetReply,
  sink: (piece: Buffer) => void,
): Promise<Etag> {
  const body = reply.Body;
  if (!(body instanceof Readable))
    throw new KodomountError("Programmer", "the reply is not a stream");
  try {
    const etag = etagOf(reply.ETag);
    // Some stores take If-Match and do not act on it.
    if (wanted.etag !== undefined && wanted.etag !== etag)
      throw new KodomountError("PreconditionFailed", "it is another version by now");
    await readAll(body, lengthOf(wanted.range, reply), sink);
    return etag;
  } catch (error) {
    body.destroy();
    throw error;
  }
}

/** What makes a reply a store's: whoever answers in its place with 200 gives none. */
export function etagOf(etag: string | undefined): Etag {
  if (etag === undefined || etag === "")
    throw new KodomountError("Unavailable", "the reply has no ETag, so it is not a store's");
  return quoted(etag);
}

/** "bytes=FIRST-LAST". */
export function toRange(range: ByteRange): string {
  return `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

function lengthOf(range: ByteRange | undefined, reply: GetReply): number {
  const { ContentLength: length, ContentRange: contentRange } = reply;
  if (length === undefined)
    throw new KodomountError("Rejected", "the reply does not say its length");
  if (range === undefined) return length;
  const last = range.offset + range.length - 1;
  const match = /^bytes (\d+)-(\d+)\//.exec(contentRange ?? "");
  if (match === null) {
    // The whole object is right only if it is what was asked for.
    if (range.offset === 0 && length === range.length) return length;
    throw new KodomountError(
      "Rejected",
      "the store, or a proxy before it, answers a range with the whole object, so that it cannot be read from",
    );
  }
  const [first, end] = [Number(match[1]), Number(match[2])];
  if (first === range.offset && end === last && length === range.length) return length;
  if (first === range.offset && end < last)
    throw new KodomountError("Invalid", "the range reaches behind the end");
  throw new KodomountError(
    "BadReply",
    `the store, or a proxy before it, answers ${length} bytes, ${first}-${end}, for ${range.offset}-${last}`,
  );
}

/** 'data' events cost half of what async iteration does. */
function readAll(body: Readable, length: number, sink: (piece: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let at = 0;
    body.on("error", reject);
    body.on("data", (piece: Buffer) => {
      at += piece.length;
      if (at > length)
        body.destroy(new KodomountError("BadReply", "the body is longer than announced"));
      else sink(piece);
    });
    body.on("close", () => {
      if (at === length) resolve();
      else
        reject(new KodomountError("Unavailable", `the body ends after ${at} of ${length} bytes`));
    });
  });
}

/** Some stores leave out the quotes in some replies (Ceph RGW in CopyObject's): compared, they must be the same. */
export function quoted(etag: string): Etag {
  return toEtag(/^(W\/)?"/.test(etag) ? etag : `"${etag}"`);
}
