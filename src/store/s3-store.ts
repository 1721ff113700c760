// The ObjectStore on S3's protocol. The SDK signs, builds and parses; sending is ours (`http-handler.ts`), and so are
// retries (`with-retry.ts`): the SDK's share a quota among all parts and never repeat a stream.

import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { type Clock, KodomountError, type Log } from "../base/mod.ts";
import {
  type Etag,
  type Key,
  type Sha256,
  toEtag,
  toKey,
  toPartNumber,
  toUploadId,
} from "../model/mod.ts";
import { classify } from "./classify.ts";
import { createClient } from "./client.ts";
import { FileBody } from "./http-handler.ts";
import type {
  Body,
  ByteRange,
  HeldPart,
  ListPage,
  ObjectHead,
  ObjectStore,
  StoreOptions,
} from "./object-store.ts";

/** A store that asks once; wrap it with `withRetry`. */
export function createS3Store(
  options: StoreOptions,
  deps: { clock: Clock; log: Log },
): ObjectStore {
  return new S3Store(options, createClient(options, deps.clock));
}

class S3Store implements ObjectStore {
  readonly #client: S3Client;
  readonly #options: StoreOptions;

  constructor(options: StoreOptions, client: S3Client) {
    this.#options = options;
    this.#client = client;
  }

  async head(key: Key, signal?: AbortSignal): Promise<ObjectHead | undefined> {
    try {
      const reply = await this.#send(`HEAD ${key}`, signal, (abort) =>
        this.#client.send(new HeadObjectCommand(this.#at(key)), abort),
      );
      return {
        etag: toEtag(reply.ETag ?? ""),
        size: reply.ContentLength ?? 0,
        lastModifiedMs: reply.LastModified?.getTime() ?? 0,
        storageClass: reply.StorageClass,
        metadata: reply.Metadata ?? {},
      };
    } catch (error) {
      if (error instanceof KodomountError && error.code === "NotFound") return undefined;
      throw error;
    }
  }

  async get(
    request: { key: Key; range?: ByteRange; etag?: Etag },
    signal?: AbortSignal,
  ): Promise<{ bytes: Buffer; etag: Etag }> {
    const { key, range, etag } = request;
    const what = `GET ${key}`;
    return this.#send(what, signal, async (abort) => {
      const command = new GetObjectCommand({
        ...this.#at(key),
        ...(range === undefined ? {} : { Range: toRange(range) }),
        ...(etag === undefined ? {} : { IfMatch: etag }),
      });
      const reply = await this.#client.send(command, abort);
      const body = reply.Body as Readable;
      const length = reply.ContentLength ?? 0;
      const found = toEtag(reply.ETag ?? "");
      try {
        assertVersion(what, etag, found);
        assertRange(what, range, { length, contentRange: reply.ContentRange });
        return { bytes: await readAll(what, body, length), etag: found };
      } catch (error) {
        body.destroy();
        throw error;
      }
    });
  }

  async list(
    request: {
      prefix: Key;
      delimiter: boolean;
      token?: string | undefined;
      limit?: number | undefined;
    },
    signal?: AbortSignal,
  ): Promise<ListPage> {
    const { bucket, prefix, provider } = this.#options;
    const encoded = provider.listEncoding;
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix + request.prefix,
      Delimiter: request.delimiter ? "/" : undefined,
      ContinuationToken: request.token,
      MaxKeys: request.limit ?? 1000,
      EncodingType: encoded ? "url" : undefined,
    });
    const reply = await this.#send(`LIST ${request.prefix}`, signal, (abort) =>
      this.#client.send(command, abort),
    );
    const decode = (text: string | undefined): Key => {
      const key =
        reply.EncodingType === "url"
          ? decodeURIComponent((text ?? "").replaceAll("+", " "))
          : (text ?? "");
      return toKey(key.slice(prefix.length));
    };
    const objects = (reply.Contents ?? []).map((object) => ({
      key: decode(object.Key),
      etag: toEtag(object.ETag ?? ""),
      size: object.Size ?? 0,
      lastModifiedMs: object.LastModified?.getTime() ?? 0,
      storageClass: object.StorageClass,
    }));
    const prefixes = new Set((reply.CommonPrefixes ?? []).map((common) => decode(common.Prefix)));
    return {
      // The mount's own prefix may be an object, the marker of the root: it is no file in it.
      objects: objects.filter(({ key }) => key !== ""),
      prefixes: [...prefixes].filter((key) => key !== ""),
      token: reply.IsTruncated ? reply.NextContinuationToken : undefined,
    };
  }

  async put(
    request: { key: Key; body: Body; sha256: Sha256; metadata: Record<string, string> },
    signal?: AbortSignal,
  ): Promise<{ etag: Etag }> {
    const { key, body, sha256, metadata } = request;
    const command = new PutObjectCommand({ ...this.#at(key), ...toBody(body), Metadata: metadata });
    withHash(command, sha256);
    const reply = await this.#send(`PUT ${key}`, signal, (abort) =>
      this.#client.send(command, abort),
    );
    return { etag: toEtag(reply.ETag ?? "") };
  }

  async delete(key: Key, signal?: AbortSignal): Promise<void> {
    try {
      await this.#send(`DELETE ${key}`, signal, (abort) =>
        this.#client.send(new DeleteObjectCommand(this.#at(key)), abort),
      );
    } catch (error) {
      if (!(error instanceof KodomountError) || error.code !== "NotFound") throw error;
    }
  }

  async copy(
    request: { from: Key; to: Key; etag: Etag; metadata?: Record<string, string> },
    signal?: AbortSignal,
  ): Promise<{ etag: Etag }> {
    const { from, to, etag, metadata } = request;
    const command = new CopyObjectCommand({
      ...this.#at(to),
      CopySource: this.#source(from),
      CopySourceIfMatch: etag,
      ...(metadata === undefined
        ? {}
        : { Metadata: metadata, MetadataDirective: "REPLACE" as const }),
    });
    const reply = await this.#send(`COPY ${from} to ${to}`, signal, (abort) =>
      this.#client.send(command, abort),
    );
    return { etag: toEtag(reply.CopyObjectResult?.ETag ?? "") };
  }

  async createUpload(
    request: { key: Key; metadata: Record<string, string> },
    signal?: AbortSignal,
  ): Promise<{ uploadId: ReturnType<typeof toUploadId> }> {
    const command = new CreateMultipartUploadCommand({
      ...this.#at(request.key),
      Metadata: request.metadata,
    });
    const reply = await this.#send(`CREATE UPLOAD ${request.key}`, signal, (abort) =>
      this.#client.send(command, abort),
    );
    if (!reply.UploadId)
      throw new KodomountError(
        "Rejected",
        `CREATE UPLOAD ${request.key}: the store gave no upload id`,
      );
    return { uploadId: toUploadId(reply.UploadId) };
  }

  async uploadPart(
    request: Parameters<ObjectStore["uploadPart"]>[0],
    signal?: AbortSignal,
  ): Promise<{ etag: Etag }> {
    const { key, uploadId, partNumber, body, sha256 } = request;
    const command = new UploadPartCommand({
      ...this.#at(key),
      UploadId: uploadId,
      PartNumber: partNumber,
      ...toBody(body),
    });
    withHash(command, sha256);
    const reply = await this.#send(`PUT part ${partNumber} of ${key}`, signal, (abort) =>
      this.#client.send(command, abort),
    );
    return { etag: toEtag(reply.ETag ?? "") };
  }

  async copyPart(
    request: Parameters<ObjectStore["copyPart"]>[0],
    signal?: AbortSignal,
  ): Promise<{ etag: Etag }> {
    const { key, uploadId, partNumber, from, etag, range } = request;
    const command = new UploadPartCopyCommand({
      ...this.#at(key),
      UploadId: uploadId,
      PartNumber: partNumber,
      CopySource: this.#source(from),
      CopySourceIfMatch: etag,
      CopySourceRange: toRange(range),
    });
    const reply = await this.#send(`COPY part ${partNumber} of ${key}`, signal, (abort) =>
      this.#client.send(command, abort),
    );
    return { etag: toEtag(reply.CopyPartResult?.ETag ?? "") };
  }

  async listParts(
    request: Parameters<ObjectStore["listParts"]>[0],
    signal?: AbortSignal,
  ): Promise<HeldPart[]> {
    const { key, uploadId } = request;
    const parts: HeldPart[] = [];
    let marker: string | undefined;
    do {
      const command = new ListPartsCommand({
        ...this.#at(key),
        UploadId: uploadId,
        PartNumberMarker: marker,
      });
      const reply = await this.#send(`LIST PARTS ${key}`, signal, (abort) =>
        this.#client.send(command, abort),
      );
      for (const part of reply.Parts ?? [])
        parts.push({
          partNumber: toPartNumber(part.PartNumber ?? 0),
          size: part.Size ?? 0,
          etag: toEtag(part.ETag ?? ""),
        });
      const next = reply.IsTruncated ? reply.NextPartNumberMarker : undefined;
      marker = next === marker ? undefined : next;
    } while (marker !== undefined);
    return parts;
  }

  async complete(
    request: Parameters<ObjectStore["complete"]>[0],
    signal?: AbortSignal,
  ): Promise<void> {
    const { key, uploadId, parts } = request;
    const command = new CompleteMultipartUploadCommand({
      ...this.#at(key),
      UploadId: uploadId,
      MultipartUpload: {
        Parts: parts.map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: etag })),
      },
    });
    await this.#send(`COMPLETE ${key}`, signal, (abort) => this.#client.send(command, abort));
  }

  async abort(request: Parameters<ObjectStore["abort"]>[0], signal?: AbortSignal): Promise<void> {
    const command = new AbortMultipartUploadCommand({
      ...this.#at(request.key),
      UploadId: request.uploadId,
    });
    try {
      await this.#send(`ABORT ${request.key}`, signal, (abort) =>
        this.#client.send(command, abort),
      );
    } catch (error) {
      if (
        !(error instanceof KodomountError) ||
        (error.code !== "NoSuchUpload" && error.code !== "NotFound")
      )
        throw error;
    }
  }

  close(): void {
    this.#client.destroy();
  }

  #at(key: Key): { Bucket: string; Key: string } {
    return { Bucket: this.#options.bucket, Key: this.#options.prefix + key };
  }

  #source(key: Key): string {
    const { bucket, prefix } = this.#options;
    return `${bucket}/${prefix}${key}`.split("/").map(encodeURIComponent).join("/");
  }

  async #send<T>(
    what: string,
    signal: AbortSignal | undefined,
    task: (options: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    if (signal?.aborted) throw new KodomountError("Interrupted", `${what} was interrupted`);
    try {
      return await task(signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      if (signal?.aborted)
        throw new KodomountError("Interrupted", `${what} was interrupted`, { cause: error });
      throw classify(what, error);
    }
  }
}

/** The hash that the signature covers: the server refuses any other body. */
function withHash(command: { middlewareStack: unknown }, sha256: Sha256): void {
  const stack = command.middlewareStack as {
    add(
      middleware: (
        next: (args: { request: { headers: Record<string, string> } }) => unknown,
      ) => (args: { request: { headers: Record<string, string> } }) => unknown,
      options: { step: "build"; name: string; priority: "low" },
    ): void;
  };
  stack.add(
    (next) => (args) => {
      args.request.headers["x-amz-content-sha256"] = sha256;
      return next(args);
    },
    { step: "build", name: "kodomountPayloadHash", priority: "low" },
  );
}

function toBody(body: Body): { Body: never; ContentLength: number } {
  const value: unknown = body.kind === "bytes" ? body.bytes : new FileBody(body.path, body.size);
  return {
    Body: value as never,
    ContentLength: body.kind === "bytes" ? body.bytes.length : body.size,
  };
}

function toRange(range: ByteRange): string {
  return `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

/** Some stores take If-Match and do not act on it. */
function assertVersion(what: string, wanted: Etag | undefined, found: Etag): void {
  if (wanted !== undefined && wanted !== found)
    throw new KodomountError("PreconditionFailed", `${what}: it is another version by now`);
}

function assertRange(
  what: string,
  range: ByteRange | undefined,
  reply: { length: number; contentRange: string | undefined },
): void {
  if (range === undefined) return;
  const last = range.offset + range.length - 1;
  const match = /^bytes (\d+)-(\d+)\//.exec(reply.contentRange ?? "");
  if (match === null) {
    // The whole object is right only if it is what was asked for.
    if (range.offset === 0 && reply.length === range.length) return;
    throw new KodomountError(
      "Rejected",
      `${what}: the store answers a range with the whole object`,
    );
  }
  if (
    Number(match[1]) === range.offset &&
    Number(match[2]) === last &&
    reply.length === range.length
  )
    return;
  if (Number(match[1]) === range.offset && Number(match[2]) < last)
    throw new KodomountError("Invalid", `${what}: the range reaches behind the end`);
  throw new KodomountError(
    "Unavailable",
    `${what}: the store answers bytes ${match[1]}-${match[2]} for ${range.offset}-${last}`,
  );
}

async function readAll(what: string, body: Readable, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    if (at + piece.length > length)
      throw new KodomountError("Unavailable", `${what}: the body is longer than announced`);
    bytes.set(piece, at);
    at += piece.length;
  }
  if (at < length)
    throw new KodomountError(
      "Unavailable",
      `${what}: the body ends after ${at} of ${length} bytes`,
    );
  return bytes;
}
