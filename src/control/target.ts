// What a running mount tells and takes over its socket. Views and orders of the operator only: nothing here decides.

import type { Code } from "../base/mod.ts";
import type { ArchiveStatus } from "../fs/mod.ts";

export type { ArchiveStatus } from "../fs/mod.ts";

/** One mount, for people and for `--json`. Times are milliseconds since the epoch. */
export interface MountStatus {
  readonly pid: number;
  readonly version: string;
  readonly source: { readonly endpoint: string; readonly bucket: string; readonly prefix: string };
  readonly dir: string;
  readonly stateDir: string;
  readonly since: number;
  readonly closeMode: "commit" | "strict" | "local";
  readonly readOnly: boolean;
  /** Whether the store was seen to refuse a body that does not hash to what was signed. */
  readonly payloadHash: "verified" | "not verified" | "unknown";
  /** False once the directory is no longer mounted and only what was closed is still being published. */
  readonly mounted: boolean;
  /** Bytes. */
  readonly spill: { readonly used: number; readonly limit: number };
  readonly pending: readonly PendingStatus[];
  /** Background work that has failed since the start; the log has each. */
  readonly failures: number;
  /** Parts under way. */
  readonly inFlight: number;
  /** Since the start. */
  readonly bytesAcknowledged: number;
  /** Bytes a second that have reached the store's side lately. */
  readonly goodput: number;
  /** What has not worked for the longest time and is tried again; undefined: all goes well. */
  readonly trouble?: { readonly since: number; readonly error: string } | undefined;
}

export interface PendingStatus {
  /** Below the mount point. */
  readonly path: string;
  /** Undefined for a copy, a deletion or attributes. */
  readonly save?: string | undefined;
  readonly state:
    | "open"
    | "refused"
    | "closed"
    | "completing"
    | "parked"
    | "held"
    | "interrupted"
    | "copy"
    | "delete"
    | "attributes";
  readonly size: number;
  /** Parts, and their bytes, that the store has as they are now. */
  readonly partsAcknowledged: number;
  readonly bytesAcknowledged: number;
  readonly partsTotal: number;
  /** See docs/operations.md. */
  readonly waitsFor:
    | "writer"
    | "rename"
    | "bytes"
    | "order"
    | "answer"
    | "copies"
    | "store"
    | "operator";
  /** Since when it waits; undefined when it does not. */
  readonly since?: number | undefined;
  /** A close or a change of names has returned for it. */
  readonly promised: boolean;
  /** Why it is parked or refused. */
  readonly why?: Code | undefined;
  /** What is wrong now, else what was wrong last. */
  readonly error?: string | undefined;
}

/** A pending save: what `uploads` lists. */
export type UploadStatus = PendingStatus & { readonly save: string };

export const ACTION_KINDS = ["publish", "drop", "retry", "keep-mine", "keep-theirs"] as const;

export interface Action {
  /**
   * `publish` or `drop` what was interrupted, `retry` or `drop` what is parked; of a conflict `keep-mine` replaces the other
   * client's object, `keep-theirs` drops ours.
   */
  readonly kind: (typeof ACTION_KINDS)[number];
  readonly save: string;
}

/** How far a `warm` is. */
export interface WarmStatus {
  /** Of what was asked for: how many, and bytes. */
  readonly files: number;
  readonly bytes: number;
  /** In the cache, or given up. */
  readonly filesDone: number;
  readonly bytesDone: number;
}

export interface WarmAnswer {
  readonly files: number;
  readonly bytes: number;
  /** Bytes that were not in the cache before. */
  readonly bytesFetched: number;
  /** One line for each file that could not be fetched. */
  readonly failed: string[];
}

export type OnWarming = (status: WarmStatus) => void;

export interface RestoreOrder {
  /** Below the mount point: a file, or a directory with all that is archived in it. */
  readonly path: string;
  readonly days: number;
}

export type OnWaiting = (status: MountStatus) => void;

/**
 * What the server serves. Methods reject with `KodomountError`s, which reach the client as such.
 */
export interface ControlTarget {
  status(): MountStatus;
  uploads(): UploadStatus[];
  /** @throws `NotFound` when there is no such save, `Invalid` or `Busy` when it is not in a state for it. */
  act(action: Action): Promise<void>;
  /** @throws `NotFound`; `Busy` while it is not in the bucket. */
  archive(path: string, signal: AbortSignal): Promise<ArchiveStatus>;
  /** Asks the store for what is archived, and does not wait for it. @throws `NotFound`, `Busy`; `Invalid`: nothing is. */
  restore(order: RestoreOrder, signal: AbortSignal): Promise<ArchiveStatus[]>;
  /**
   * Resolves when everything at or below `path` (undefined: everywhere) that was closed is in the bucket or was refused
   * for good. `onWaiting` is called when what is waited for changes. @throws `Interrupted` when `signal` aborts.
   * @returns one line for each that failed.
   */
  waitFor(
    path: string | undefined,
    onWaiting: OnWaiting,
    signal: AbortSignal,
  ): Promise<{ failed: string[] }>;
  /**
   * Fetches what is at or below `paths`, below the mount point ("" is all), into the cache on disk.
   * @throws `Config` when there is none, `NotFound`, `TooLarge`, `NoSpace`; `Interrupted` when `signal` aborts.
   */
  warm(paths: readonly string[], onWarming: OnWarming, signal: AbortSignal): Promise<WarmAnswer>;
  /**
   * Unmounts and ends. With `wait` not before everything that was closed is in the bucket, as `waitFor`.
   * @throws `Busy` when files are open: the mount goes on. `Interrupted` when `signal` aborts while it is waiting.
   * @returns one line for each promise that is not in the bucket yet; it stays in the state directory.
   */
  stop(
    options: { readonly wait: boolean },
    onWaiting: OnWaiting,
    signal: AbortSignal,
  ): Promise<{ left: string[] }>;
}

/** One line of a streamed answer. The last one is a result or an error. */
export type StreamLine<Result, Progress> =
  | { readonly waiting: Progress }
  | { readonly result: Result }
  | { readonly error: RemoteError };

export interface RemoteError {
  readonly code: Code;
  readonly message: string;
}
