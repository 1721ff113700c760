// What the catalog holds, as types. `docs/data-format.md` has the bytes. Values are JSON with a version and a CRC-32C.

import type {
  Acknowledgement,
  Attributes,
  Etag,
  Ino,
  Key,
  PartNumber,
  PartPlan,
  Rev,
  SaveId,
  SaveRecord,
  Sha256,
  UploadId,
  Want,
} from "../model/mod.ts";

/** `p/SAVE/N`: what is known of a part of a save. `sha256` absent: frozen or written, to be hashed again. */
export interface PartRecord {
  readonly save: SaveId;
  readonly partNumber: PartNumber;
  readonly content:
    | { readonly kind: "base" }
    | {
        readonly kind: "spill";
        readonly rev: Rev;
        readonly size: number;
        readonly sha256?: Sha256;
      }
    /** In the key's upload, and not here any more. */
    | {
        readonly kind: "evicted";
        readonly rev: Rev;
        readonly size: number;
        readonly sha256: Sha256;
      };
}

/** `d/SAVE/N`: one write of a small file, whose bytes are not in the spill. Applied in order they give part 1. */
export interface DataRecord {
  readonly save: SaveId;
  /** From 1. */
  readonly index: number;
  /** Of part 1, after this write. */
  readonly rev: Rev;
  /** Bytes that the part has after it: what was longer before is cut. */
  readonly size: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** `u/KEY\0UPLOAD`: a multipart upload as we know it: evidence, which may vanish. */
export interface UploadRecord {
  readonly key: Key;
  readonly uploadId: UploadId;
  /** What the metadata of the object will say under `kodomount-save`. */
  readonly token: string;
  readonly plan: PartPlan;
  readonly createdAt: number;
  /** An abandoned attempt with other content might still land: ListParts must agree before Complete. */
  readonly doubt: boolean;
}

/** `a/UPLOAD/N`. */
export interface AckRecord extends Acknowledgement {
  readonly uploadId: UploadId;
  readonly partNumber: PartNumber;
}

/** `o/KEY`: what this machine knows of a committed object, valid only while its ETag is `etag`. May be dropped. */
export interface ObjectRecord {
  readonly key: Key;
  readonly etag: Etag;
  readonly size: number;
  readonly attributes: Attributes;
  /** Cut by `plan`; empty when this machine did not write it by parts. */
  readonly parts: readonly { readonly sha256: string; readonly size: number }[];
  readonly plan: PartPlan | undefined;
}

/** `m/identity`: which bucket a state directory belongs to. */
export interface Identity {
  readonly endpoint: string;
  readonly bucket: string;
  readonly prefix: string;
}

/** `r/UNIQUE`: a namespace change that was answered, for a kernel that asks again after a take-over. */
export interface ReplyRecord {
  /** Decimal, without the resend bit. */
  readonly unique: string;
  readonly reply: { readonly ino?: Ino; readonly handle?: number };
}

/** One step of a batch. Deleting what is not there is allowed. */
export type Change =
  | { readonly put: "save"; readonly record: SaveRecord }
  | { readonly del: "save"; readonly id: SaveId }
  | { readonly put: "part"; readonly record: PartRecord }
  | { readonly del: "part"; readonly save: SaveId; readonly partNumber: PartNumber }
  /** All parts of a save. */
  | { readonly del: "parts"; readonly save: SaveId }
  | { readonly put: "data"; readonly record: DataRecord }
  | { readonly del: "data"; readonly save: SaveId; readonly index: number }
  | { readonly put: "upload"; readonly record: UploadRecord }
  /** The upload and all its acknowledgements. */
  | { readonly del: "upload"; readonly key: Key; readonly uploadId: UploadId }
  | { readonly put: "ack"; readonly record: AckRecord }
  | { readonly del: "ack"; readonly uploadId: UploadId; readonly partNumber: PartNumber }
  | { readonly put: "want"; readonly key: Key; readonly want: Want }
  | { readonly del: "want"; readonly key: Key }
  | { readonly put: "object"; readonly record: ObjectRecord }
  | { readonly del: "object"; readonly key: Key }
  /** `x/UPLOAD`: to be aborted at the store. */
  | { readonly put: "abort"; readonly key: Key; readonly uploadId: UploadId }
  | { readonly del: "abort"; readonly uploadId: UploadId }
  | { readonly put: "reply"; readonly record: ReplyRecord };

/** Everything that recovery needs, loaded at start. Objects are not in it: they are looked up one by one. */
export interface CatalogContents {
  readonly saves: readonly SaveRecord[];
  readonly parts: readonly PartRecord[];
  /** Of each save in the order of their indexes. */
  readonly data: readonly DataRecord[];
  readonly uploads: readonly UploadRecord[];
  readonly acks: readonly AckRecord[];
  readonly wants: readonly { readonly key: Key; readonly want: Want }[];
  readonly aborts: readonly { readonly key: Key; readonly uploadId: UploadId }[];
  readonly replies: readonly ReplyRecord[];
}
