// What the two sides of the worker say to each other. Plain data only: errors cross as code and message.

import type { Code, LogLine } from "../base/mod.ts";
import type { Key, PartNumber, Sha256, UploadId } from "../model/mod.ts";
import type { StoreOptions } from "../store/mod.ts";

export interface HashTask {
  readonly kind: "hash";
  readonly path: string;
  readonly size: number;
}

export interface PartTask {
  readonly kind: "part";
  readonly key: Key;
  readonly uploadId: UploadId;
  readonly partNumber: PartNumber;
  readonly path: string;
  readonly size: number;
  readonly sha256: Sha256;
}

export interface PutTask {
  readonly kind: "put";
  readonly key: Key;
  /** undefined: an empty object, unless there are `bytes`. */
  readonly path: string | undefined;
  /** The content of a small object that has no file. */
  readonly bytes?: Uint8Array | undefined;
  readonly size: number;
  readonly sha256: Sha256;
  readonly metadata: Record<string, string>;
  /** undefined: the usual one. */
  readonly storageClass?: string | undefined;
}

export type Task = HashTask | PartTask | PutTask;

/** To the worker. */
export type Order =
  | { readonly id: number; readonly task: Task }
  | { readonly id: number; readonly task: "abort" };

/** What the connections have carried since the worker began; see `Observed`. */
export interface Carried {
  readonly bytes: number;
  readonly lost: number;
  readonly tripMs: number | undefined;
  readonly isLossTolerant: boolean;
}

/** From the worker: a hash or an ETag, or what went wrong, or what was carried, or what is tried again, or a line for the log. */
export type Report =
  | { readonly carried: Carried }
  | { readonly id: number; readonly value: string; readonly isRepeated?: boolean }
  | { readonly id: number; readonly code: Code; readonly message: string }
  /** undefined: a request for the key has ended. */
  | { readonly key: Key; readonly trouble: string | undefined }
  | LogLine;

export interface WorkerOptions {
  readonly store: StoreOptions;
}
