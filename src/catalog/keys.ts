// The layout of keys: docs/data-format.md. A key sorts by its first letter, then by what it belongs to.

import type { Key, PartNumber, SaveId, UploadId } from "../model/mod.ts";
import type { Change } from "./records.ts";

export const saveKey = (id: SaveId): string => `s/${id}`;
export const partPrefix = (save: SaveId): string => `p/${save}/`;
export const partKey = (save: SaveId, partNumber: PartNumber): string =>
  partPrefix(save) + padded(partNumber);
export const uploadKey = (key: Key, uploadId: UploadId): string => `u/${key}\0${uploadId}`;
export const ackPrefix = (uploadId: UploadId): string => `a/${uploadId}/`;
export const ackKey = (uploadId: UploadId, partNumber: PartNumber): string =>
  ackPrefix(uploadId) + padded(partNumber);
export const wantKey = (key: Key): string => `n/${key}`;
export const objectKey = (key: Key): string => `o/${key}`;
export const abortKey = (uploadId: UploadId): string => `x/${uploadId}`;
/** `unique` grows: padded, the records sort by age. */
export const replyKey = (unique: string): string => `r/${unique.padStart(20, "0")}`;

export const SCHEMA_KEY = "m/schema";
export const IDENTITY_KEY = "m/identity";
export const BOOT_KEY = "m/boot";
export const NEXT_KEY = "m/next";
export const HEARTBEAT_KEY = "m/heartbeat";

/** Behind every key that starts with `prefix`. */
export const after = (prefix: string): string => `${prefix}\uffff`;

function padded(partNumber: PartNumber): string {
  return String(partNumber).padStart(5, "0");
}

/** Where a record is put. */
export function keyOfPut(change: Extract<Change, { put: string }>): string {
  switch (change.put) {
    case "save":
      return saveKey(change.record.id);
    case "part":
      return partKey(change.record.save, change.record.partNumber);
    case "upload":
      return uploadKey(change.record.key, change.record.uploadId);
    case "ack":
      return ackKey(change.record.uploadId, change.record.partNumber);
    case "want":
      return wantKey(change.key);
    case "object":
      return objectKey(change.record.key);
    case "abort":
      return abortKey(change.uploadId);
    case "reply":
      return replyKey(change.record.unique);
  }
}
