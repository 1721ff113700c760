// What the product asks of an object store. One implementation speaks S3 (`s3-store.ts`); wrappers of the same interface
// add retries, logging and faults. `test/contract` runs one suite over all of them, in the order of this file.

import type {
  Archive,
  Etag,
  Key,
  PartNumber,
  ProviderProfile,
  Sha256,
  UploadId,
} from "../model/mod.ts";
import type { Congestion } from "./congestion.ts";

/**
 * The contract.
 *
 * Keys are relative to the prefix that the store was made with; it is added and removed by the implementation.
 *
 * Errors: every method rejects with a `KodomountError`. `Unavailable` (5xx, SlowDown, 429, InternalError also inside a
 * 200; a reply that is no store's, as of a network that wants a login), `TimedOut` (no progress), `Unreachable` (DNS,
 * refused, reset, a certificate that is not to be trusted) and `BadReply` (other bytes than were asked for) are `retryable`;
 * a bare store never retries, `withRetry` does, of `BadReply` not without end. An absent object or upload is `NotFound` / `NoSuchUpload`; `AccessDenied`, `BadCredentials`,
 * `WrongRegion`, `ClockSkewed`, `NoSuchBucket`, `QuotaExceeded`, `BadDigest`, `BadPart`, `PreconditionFailed`, `Archived`
 * say what their names say; any other 4xx is `Rejected`. Messages carry the operation, the key, S3's code and request id,
 * never a credential.
 *
 * After a rejection with a retryable error the request may or may not have had its effect.
 *
 * Aborting `signal` rejects with `Interrupted` at once, and the connection is given up.
 *
 * Deadlines: 5 s to connect, 10 s without progress of bytes in either direction; a request that moves has no other, but
 * one whose file the store's kernel has acknowledged is answered within 3 s, or four times what it took lately.
 * `copy`, `copyPart` and `complete`, where the store works by itself, may take 60 s until they answer.
 *
 * After `close()` everything rejects with `Interrupted`.
 */
export interface ObjectStore {
  /** What is at `key`, or undefined. */
  head(key: Key, signal?: AbortSignal): Promise<ObjectHead | undefined>;

  /**
   * Bytes of an object.
   * @param request.range half-open by length; reading past the end is `Invalid`. undefined: all of it.
   * @param request.etag when given, any other version is `PreconditionFailed` (checked on the reply too, since some stores ignore If-Match).
   * @returns exactly `range.length` bytes. A short body or a wrong Content-Range rejects with a retryable error.
   */
  get(
    request: { key: Key; range?: ByteRange; etag?: Etag },
    signal?: AbortSignal,
  ): Promise<{ bytes: Buffer; etag: Etag }>;

  /**
   * The bytes of a range of one version, as they come in, to `sink`: none is held back until the last is there.
   * @throws as `get`. With an error that is `retryable` some bytes may have been given; `withRetry` goes on behind them, so
   * that its `sink` gets each byte once.
   */
  read(
    request: { key: Key; range: ByteRange; etag: Etag },
    sink: (piece: Buffer) => void,
    signal?: AbortSignal,
  ): Promise<void>;

  /**
   * One page of keys that start with `prefix`, in the store's order (UTF-8 bytes).
   * With `delimiter` keys that contain a `/` after the prefix are folded into `prefixes` (which end with `/`).
   * Prefixes may be repeated on later pages.
   */
  list(request: ListRequest, signal?: AbortSignal): Promise<ListPage>;

  /** Makes an object in one request. The store refuses a body that does not hash to `sha256` (`BadDigest`). */
  put(request: PutRequest, signal?: AbortSignal): Promise<{ etag: Etag }>;

  /** Deleting what is not there succeeds. */
  delete(key: Key, signal?: AbortSignal): Promise<void>;

  /**
   * RestoreObject: asks for an archived object, or keeps one that is restored for longer. Returns at once; HEAD tells when it
   * is there. @throws `Busy` when it was asked for already, `Archived` when it is in no archive, `NotFound`.
   */
  restore(request: { key: Key; days: number }, signal?: AbortSignal): Promise<void>;

  /**
   * A server-side copy in one request, of an object up to the profile's `copySizeMax`.
   * @param request.metadata replaces the source's metadata; undefined keeps it.
   * @param request.storageClass of the copy: it is never that of the source by itself. undefined: the bucket's usual one.
   * @throws `PreconditionFailed` when the source is no longer `etag` (where the store checks it), `NotFound`, `Archived`.
   */
  copy(
    request: {
      from: Key;
      to: Key;
      etag: Etag;
      metadata?: Record<string, string>;
      storageClass?: string | undefined;
    },
    signal?: AbortSignal,
  ): Promise<{ etag: Etag }>;

  /** CreateMultipartUpload. Metadata and class are those of the object to be. Several uploads of one key may live side by side. */
  createUpload(
    request: { key: Key; metadata: Record<string, string>; storageClass?: string | undefined },
    signal?: AbortSignal,
  ): Promise<{ uploadId: UploadId }>;

  /**
   * UploadPart. A part sent again under its number replaces the former. `BadDigest` as with `put`.
   * @returns `isRepeated` when an attempt of this call was given up before: the store may take it yet, and later than this.
   */
  uploadPart(
    request: { key: Key; uploadId: UploadId; partNumber: PartNumber; body: Body; sha256: Sha256 },
    signal?: AbortSignal,
  ): Promise<{ etag: Etag; isRepeated?: boolean }>;

  /** UploadPartCopy of a range of an object of this bucket. @throws `PreconditionFailed`, `NotFound`, `NoSuchUpload`. */
  copyPart(
    request: {
      key: Key;
      uploadId: UploadId;
      partNumber: PartNumber;
      from: Key;
      etag: Etag;
      range: ByteRange;
    },
    signal?: AbortSignal,
  ): Promise<{ etag: Etag }>;

  /** All parts that the upload holds, ascending; pages are followed. */
  listParts(request: { key: Key; uploadId: UploadId }, signal?: AbortSignal): Promise<HeldPart[]>;

  /**
   * CompleteMultipartUpload. A 200 with an error in its body rejects with that error.
   * Asked again after it has succeeded: `NoSuchUpload` at most stores; the caller settles it by HEAD.
   */
  complete(
    request: {
      key: Key;
      uploadId: UploadId;
      parts: readonly { partNumber: PartNumber; etag: Etag }[];
    },
    signal?: AbortSignal,
  ): Promise<void>;

  /** AbortMultipartUpload; an upload that is not there is aborted already. */
  abort(request: { key: Key; uploadId: UploadId }, signal?: AbortSignal): Promise<void>;

  /** Ends idle connections. Requests under way are aborted. */
  close(): void;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ObjectHead {
  readonly etag: Etag;
  readonly size: number;
  readonly lastModifiedMs: number;
  /** undefined: the usual one, or the store does not say. */
  readonly storageClass: string | undefined;
  /** Of an object that is in an archive; undefined: it can be read as any other. */
  readonly archive?: Archive | undefined;
  /** User metadata, lower-case names without `x-amz-meta-`. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ListRequest {
  readonly prefix: Key;
  readonly delimiter: boolean;
  /** Of the page before. */
  readonly token?: string | undefined;
  /** Entries a page, at most 1000. */
  readonly limit?: number | undefined;
}

export interface ListPage {
  readonly objects: readonly ListedObject[];
  readonly prefixes: readonly Key[];
  /** For the next page; undefined on the last. */
  readonly token: string | undefined;
}

export interface ListedObject {
  readonly key: Key;
  readonly etag: Etag;
  readonly size: number;
  readonly lastModifiedMs: number;
  readonly storageClass: string | undefined;
}

export interface PutRequest {
  readonly key: Key;
  readonly body: Body;
  readonly sha256: Sha256;
  readonly metadata: Record<string, string>;
  /** undefined: the bucket's usual one. */
  readonly storageClass?: string | undefined;
}

/** What is sent: bytes in memory, or the first `size` bytes of a file, read as they go out, by the calling thread. */
export type Body =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly path: string; readonly size: number };

export interface HeldPart {
  readonly partNumber: PartNumber;
  readonly size: number;
  readonly etag: Etag;
}

/** How to reach a store; plain data, so that it can be posted to a worker thread. Never logged. */
export interface StoreOptions {
  /** With scheme, without a trailing slash: `https://s3.cn-east-1.qiniucs.com`. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** "" or ending with `/`. */
  readonly prefix: string;
  readonly provider: ProviderProfile;
  readonly credentials: StoreCredentials;
  /** Connections at most. */
  readonly connections: number;
  /** The system's when absent. */
  readonly congestion?: Congestion;
}

/** Where keys come from: fixed ones (environment, KODO_ACCESS_KEY), or an AWS profile that the SDK resolves and renews. */
export type StoreCredentials =
  | {
      readonly kind: "static";
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken?: string;
    }
  | { readonly kind: "profile"; readonly profile: string };
