// What the two sides of the reading thread say to each other. Plain data only: errors cross as code and message.

import type { Code, LogLine } from "../base/mod.ts";
import type { StoreOptions } from "../store/mod.ts";
import type { DirectReply, ReadRequest, Version } from "./reader.ts";

export interface ReadThreadOptions {
  readonly store: StoreOptions;
  /** Bytes, see `BlocksOptions`. */
  readonly memory: number;
  /** A CDN or the like that is asked for content first; see `ReadEndpointOptions`. */
  readonly readEndpoint?: string | undefined;
  /** Absent: nothing is kept on the disk. */
  readonly cache?: CacheOptions | undefined;
}

/** The cache on disk. */
export interface CacheOptions {
  /** See `lockCache`. */
  readonly dir: string;
  /** Bytes. */
  readonly size: number;
}

/** To the thread. */
export type ReadOrder =
  | { readonly id: number; readonly request: ReadRequest; readonly direct: DirectReply | undefined }
  | { readonly id: number; readonly keep: ReadRequest }
  | { readonly id: number; readonly abort: true }
  | { readonly forget: Pick<Version, "key" | "etag"> };

/** Bytes, whose memory is handed over, or how many of them were fetched. */
export type ReadAnswer = Uint8Array | "written" | number;

/** From the thread: an answer; what went wrong; or a line for the log. */
export type ReadReport =
  | { readonly id: number; readonly value: ReadAnswer }
  | { readonly id: number; readonly code: Code; readonly message: string }
  | LogLine;
