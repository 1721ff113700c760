// A multipart upload as we know it: what the store has acknowledged, and what is on its way there.

import type { UploadRecord } from "../catalog/mod.ts";
import type { Acknowledgement, Etag, Key, PartNumber } from "../model/mod.ts";

/** One part on its way: never two of the same number at once. */
export interface Attempt {
  /** Hash of what is sent, or what is copied. */
  readonly identity: string;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

export class Upload {
  record: UploadRecord;
  readonly acks: Map<PartNumber, Acknowledgement>;
  readonly attempts: Map<PartNumber, Attempt> = new Map();
  /** Versions of objects that parts were copied from: they must still be the same before Complete. */
  readonly copiedFrom: Map<Key, Etag> = new Map();
  /** Parts of which the store may yet take an attempt that was given up: with other content that would be the wrong one. */
  readonly repeated: Set<PartNumber> = new Set();
  /** The store refused to copy a part: the rest is sent. */
  copyFailed = false;
  /** How often the store said that a body was not what its hash says, though the spill is right. */
  badDigests = 0;
  /** How often the store has refused to complete it although ListParts agreed. */
  badCompletes = 0;

  constructor(record: UploadRecord, acks: Iterable<readonly [PartNumber, Acknowledgement]>) {
    this.record = record;
    this.acks = new Map(acks);
  }
}
