// The layout of keys: docs/data-format.md. A key sorts by its first letter, then by what it belongs to.

import type { Key, PartNumber, SaveId, UploadId } from "../model/mod.ts";

export const SAVES = "s/";
export const PARTS = "p/";
export const DATA = "d/";
export const UPLOADS = "u/";
export const ACKS = "a/";
export const WANTS = "n/";
export const OBJECTS = "o/";
export const ABORTS = "x/";
export const REPLIES = "r/";

export const SCHEMA_KEY = "m/schema";
export const IDENTITY_KEY = "m/identity";
export const BOOT_KEY = "m/boot";
export const NEXT_KEY = "m/next";
/** In every synced batch, so that `log-check.ts` can tell what an fsync has covered. */
export const SYNC_KEY = "m/sync";

export function saveKey(id: SaveId): string {
  return SAVES + id;
}

/** Of all parts of a save. */
export function partPrefix(save: SaveId): string {
  return `${PARTS}${save}/`;
}

export function partKey(save: SaveId, partNumber: PartNumber): string {
  return partPrefix(save) + padded(partNumber);
}

export function dataKey(save: SaveId, index: number): string {
  return `${DATA}${save}/${padded(index)}`;
}

/** No key of an object has a NUL in it. */
export function uploadKey(key: Key, uploadId: UploadId): string {
  return `${UPLOADS}${key}\0${uploadId}`;
}

/** Of all acknowledgements of an upload. */
export function ackPrefix(uploadId: UploadId): string {
  return `${ACKS}${uploadId}/`;
}

export function ackKey(uploadId: UploadId, partNumber: PartNumber): string {
  return ackPrefix(uploadId) + padded(partNumber);
}

export function wantKey(key: Key): string {
  return WANTS + key;
}

export function objectKey(key: Key): string {
  return OBJECTS + key;
}

export function abortKey(uploadId: UploadId): string {
  return ABORTS + uploadId;
}

/** `unique` grows: padded, the records sort by age. */
export function replyKey(unique: string): string {
  return REPLIES + unique.padStart(20, "0");
}

/**
 * The range of all keys that start with `prefix`, which ends with an ASCII character. By counting that up and not by
 * appending U+FFFF: characters beyond that plane sort behind it in UTF-8.
 */
export function rangeOf(prefix: string): { gte: string; lt: string } {
  const last = prefix.charCodeAt(prefix.length - 1);
  return { gte: prefix, lt: prefix.slice(0, -1) + String.fromCharCode(last + 1) };
}

/** Whether `key` is `prefix` and a part number: an upload id is opaque, it may go on with a slash behind another one. */
export function isNumberedBelow(key: string, prefix: string): boolean {
  return key.startsWith(prefix) && /^\d{5}$/.test(key.slice(prefix.length));
}

function padded(number: number): string {
  return String(number).padStart(5, "0");
}
