// The ObjectStore on S3's protocol. The SDK signs, builds and parses; sending is ours (`http-handler.ts`), and so are
// retries (`with-retry.ts`): the SDK's share a quota among all parts and never repeat a stream.

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
  RestoreObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { codeOf, invariant, KodomountError } from "../base/mod.ts";
import {
  type Etag,
  type Key,
  parseArchive,
  toKey,
  toPartNumber,
  toUploadId,
  type UploadId,
} from "../model/mod.ts";
import { classify } from "./classify.ts";
import { createClient, type StoreDeps } from "./client.ts";
import { assertStore, tokenOf } from "./list-reply.ts";
import type {
  ByteRange,
  HeldPart,
  ListPage,
  ListRequest,
  ObjectHead,
  ObjectStore,
  PutRequest,
  StoreOptions,
} from "./object-store.ts";
import { toBody, toClass, withHash } from "./payload.ts";
import { etagOf, quoted, readReply, toRange } from "./read-reply.ts";

/** How long the store may work by itself, on a copy or on joining parts, without a byte to us. */
const STORE_WORKS_MS = 60_000;

/** As `AbortSignal` and time limit go to the SDK. */
interface Call {
  readonly abortSignal?: AbortSignal;
  readonly requestTimeout?: number;
}

/** A store that asks once; wrap it with `withRetry`. */
export function createS3Store(options: StoreOptions, deps: StoreDeps): ObjectStore {
  return new S3Store(options, createClient(options, deps));
}

class S3Store implements ObjectStore {
  readonly #client: S3Client;
  readonly #options: StoreOptions;

  constructor(options: StoreOptions, client: S3Client) {
    this.#options = options;
    this.#client = client;
  }

  async head(key: Key, signal?: AbortSignal): Promise<ObjectHead | undefined> {
    const command = new HeadObjectCommand(this.#at(key));
    const what = `HEAD ${key}`;
    try {
      return await this.#send(what, signal, async (call) => {
        const reply = await this.#client.send(command, call);
        return {
          etag: etagOf(reply.ETag),
          size: reply.ContentLength ?? 0,
          lastModifiedMs: reply.LastModified?.getTime() ?? 0,
          storageClass: reply.StorageClass,
          archive: parseArchive(reply.StorageClass, reply.Restore),
          metadata: reply.Metadata ?? {},
        };
      });
    } catch (error) {
      if (codeOf(error) === "NotFound") return undefined;
      throw error;
    }
  }

  async get(
    request: { key: Key; range?: ByteRange; etag?: Etag },
    signal?: AbortSignal,
  ): Promise<{ bytes: Buffer; etag: Etag }> {
    const pieces: Buffer[] = [];
    const etag = await this.#get(request, (piece) => pieces.push(piece), signal);
    return { bytes: Buffer.concat(pieces), etag };
  }

  async read(
    request: { key: Key; range: ByteRange; etag: Etag },
    sink: (piece: Buffer) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#get(request, sink, signal);
  }

  #get(
    request: { key: Key; range?: ByteRange; etag?: Etag },
    sink: (piece: Buffer) => void,
    signal: AbortSignal | undefined,
  ): Promise<Etag> {
    const { key, range, etag } = request;
    invariant(range === undefined || range.length > 0, "a range has at least one byte");
    const command = new GetObjectCommand({
      ...this.#at(key),
      ...(range === undefined ? {} : { Range: toRange(range) }),
      ...(etag === undefined ? {} : { IfMatch: etag }),
    });
    return this.#send(`GET ${key}`, signal, async (call) =>
      readReply(request, await this.#client.send(command, call), sink),
    );
  }

  async list(request: ListRequest, signal?: AbortSignal): Promise<ListPage> {
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
    const reply = await this.#send(`LIST ${request.prefix}`, signal, async (call) => {
      const reply = await this.#client.send(command, call);
      assertStore(reply.Name, reply.IsTruncated, reply.KeyCount);
      return reply;
    });
    const decode = (text: string | undefined): Key => {
      const key =
        reply.EncodingType === "url"
          ? decodeURIComponent((text ?? "").replaceAll("+", " "))
          : (text ?? "");
      return toKey(key.slice(prefix.length));
    };
    const objects = (reply.Contents ?? []).map((object) => ({
      key: decode(object.Key),
      etag: quoted(object.ETag ?? ""),
      size: object.Size ?? 0,
      lastModifiedMs: object.LastModified?.getTime() ?? 0,
      storageClass: object.StorageClass,
    }));
    const prefixes = new Set((reply.CommonPrefixes ?? []).map((common) => decode(common.Prefix)));
    return {
      // The mount's own prefix may be an object, the marker of the root: it is no file in it.
      objects: objects.filter(({ key }) => key !== ""),
      prefixes: [...prefixes].filter((key) => key !== ""),
      token: tokenOf(reply.IsTruncated, reply.NextContinuationToken),
    };
  }

  async put(request: PutRequest, signal?: AbortSignal): Promise<{ etag: Etag }> {
    const { key, body, sha256, metadata, storageClass } = request;
    const command = withHash(
      new PutObjectCommand({
        ...this.#at(key),
        ...toBody(body),
        Metadata: metadata,
        ...toClass(storageClass),
      }),
      sha256,
    );
    return this.#send(`PUT ${key}`, signal, async (call) => ({
      etag: etagOf((await this.#client.send(command, call)).ETag),
    }));
  }

  async delete(key: Key, signal?: AbortSignal): Promise<void> {
    try {
      await this.#send(`DELETE ${key}`, signal, (call) =>
        this.#client.send(new DeleteObjectCommand(this.#at(key)), call),
      );
    } catch (error) {
      if (codeOf(error) !== "NotFound") throw error;
    }
  }

  async restore({ key, days }: { key: Key; days: number }, signal?: AbortSignal): Promise<void> {
    const command = new RestoreObjectCommand({
      ...this.#at(key),
      RestoreRequest: { Days: days, GlacierJobParameters: { Tier: "Standard" } },
    });
    await this.#send(`RESTORE ${key}`, signal, (call) => this.#client.send(command, call));
  }

  async copy(
    request: Parameters<ObjectStore["copy"]>[0],
    signal?: AbortSignal,
  ): Promise<{ etag: Etag }> {
    const { from, to, etag, metadata, storageClass } = request;
    const command = new CopyObjectCommand({
      ...this.#at(to),
      CopySource: this.#source(from),
      CopySourceIfMatch: etag,
      ...toClass(storageClass),
      ...(metadata === undefined
        ? {}
        : { Metadata: metadata, MetadataDirective: "REPLACE" as const }),
    });
    return this.#send(`COPY ${from} to ${to}`, signal, async (call) => {
      const reply = await this.#client.send(command, { ...call, requestTimeout: STORE_WORKS_MS });
      return { etag: etagOf(reply.CopyObjectResult?.ETag) };
    });
  }

  async createUpload(
    request: Parameters<ObjectStore["createUpload"]>[0],
    signal?: AbortSignal,
  ): Promise<{ uploadId: UploadId }> {
    const { key, metadata, storageClass } = request;
    const command = new CreateMultipartUploadCommand({
      ...this.#at(key),
      Metadata: metadata,
      ...toClass(storageClass),
    });
    return this.#send(`CREATE UPLOAD ${key}`, signal, async (call) => {
      const { UploadId } = await this.#client.send(command, call);
      if (!UploadId)
        throw new KodomountError(
          "Unavailable",
          "the reply has no upload id, so it is not a store's",
        );
      return { uploadId: toUploadId(UploadId) };
    });
  }

  async uploadPart(
    request: Parameters<ObjectStore["uploadPart"]>[0],
    signal?: AbortSignal,
  ): Promise<{ etag: Etag }> {
    const { key, uploadId, partNumber, body, sha256 } = request;
    const command = withHash(
      new UploadPartCommand({
        ...this.#at(key),
        UploadId: uploadId,
        PartNumber: partNumber,
        ...toBody(body),
      }),
      sha256,
    );
    const what = `PUT part ${partNumber} of ${key}`;
    return ofUpload(
      this.#send(what, signal, async (call) => ({
        etag: etagOf((await this.#client.send(command, call)).ETag),
      })),
    );
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
    return this.#send(`COPY part ${partNumber} of ${key}`, signal, async (call) => {
      const reply = await this.#client.send(command, { ...call, requestTimeout: STORE_WORKS_MS });
      return { etag: etagOf(reply.CopyPartResult?.ETag) };
    });
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
      const reply = await ofUpload(
        this.#send(`LIST PARTS ${key}`, signal, async (call) => {
          const reply = await this.#client.send(command, call);
          assertStore(reply.UploadId, reply.IsTruncated, reply.Key);
          return reply;
        }),
      );
      for (const part of reply.Parts ?? [])
        parts.push({
          partNumber: toPartNumber(part.PartNumber ?? 0),
          size: part.Size ?? 0,
          etag: quoted(part.ETag ?? ""),
        });
      const next = tokenOf(reply.IsTruncated, reply.NextPartNumberMarker);
      // Some stores say "truncated" of the last page, too, and give the same way on again, or 0.
      marker = next === marker || next === "0" ? undefined : next;
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
    await ofUpload(
      this.#send(`COMPLETE ${key}`, signal, (call) =>
        this.#client.send(command, { ...call, requestTimeout: STORE_WORKS_MS }),
      ),
    );
  }

  async abort(request: Parameters<ObjectStore["abort"]>[0], signal?: AbortSignal): Promise<void> {
    const command = new AbortMultipartUploadCommand({
      ...this.#at(request.key),
      UploadId: request.uploadId,
    });
    try {
      await ofUpload(
        this.#send(`ABORT ${request.key}`, signal, (call) => this.#client.send(command, call)),
      );
    } catch (error) {
      if (codeOf(error) !== "NoSuchUpload") throw error;
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
    task: (call: Call) => Promise<T>,
  ): Promise<T> {
    if (signal?.aborted) throw new KodomountError("Interrupted", `${what} was interrupted`);
    const before = this.#clockOffset();
    try {
      return await task(signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      if (signal?.aborted)
        throw new KodomountError("Interrupted", `${what} was interrupted`, { cause: error });
      throw classify(what, error, Math.abs(this.#clockOffset() - before));
    }
  }

  /** How far the store's clock is ahead of ours, as the SDK has learned from the last replies, milliseconds. */
  #clockOffset(): number {
    return this.#client.config.systemClockOffset;
  }
}

/** For requests that name nothing but an upload: what is not found is the upload, whatever words the store has for it. */
async function ofUpload<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (error) {
    if (!(error instanceof KodomountError) || error.code !== "NotFound") throw error;
    throw new KodomountError("NoSuchUpload", error.message, { cause: error });
  }
}
