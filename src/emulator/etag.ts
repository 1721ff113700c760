// ETags as Kodo's look: opaque, no MD5, of another form for objects made by parts. A client that computes ETags itself,
// or expects them to survive a copy, fails here.

import { createHash } from "node:crypto";

/** Of a body, from its SHA-256. */
export function etagOfBody(sha256: Buffer): string {
  return quote("F", sha256);
}

/** Of an object made by parts, from theirs. */
export function etagOfParts(etags: readonly string[]): string {
  return quote("l", Buffer.from(etags.join()));
}

/** Of a copy: a source that was made by parts has been put together, and gets another one. */
export function etagOfCopy(etag: string): string {
  return etag.startsWith('"l') ? quote("F", Buffer.from(etag)) : etag;
}

/** Whether two ETags are the same; the quotes are a matter of taste, as at S3. */
export function sameEtag(a: string, b: string): boolean {
  return a.replaceAll('"', "") === b.replaceAll('"', "");
}

function quote(prefix: string, bytes: Buffer): string {
  return `"${prefix}${createHash("sha1").update(bytes).digest("base64url")}"`;
}
