// One request on its way through the server: what handlers see of it, and how they take in its body.

import { createHash } from "node:crypto";
import fs from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../base/mod.ts";
import type { Slice } from "./blobs.ts";
import type { Disk } from "./disk.ts";
import { removeFile } from "./json-file.ts";
import type { Properties } from "./objects.ts";
import { Refusal } from "./refusal.ts";
import type { PayloadHash } from "./signature.ts";
import type { Target } from "./target.ts";

/** Sizes in bytes, as Kodo has them. */
export interface Limits {
  readonly partSizeMin: number;
  readonly partSizeMax: number;
  /** The largest object that one CopyObject takes. */
  readonly copySizeMax: number;
  /** How long it takes until an archived object can be read after it was asked for, milliseconds. */
  readonly restoreMs: number;
  /** Entries of one page of a listing, of keys or of parts. */
  readonly pageSizeMax: number;
}

export interface Call {
  readonly target: Target;
  readonly headers: IncomingHttpHeaders;
  /** Can be read once. */
  readonly body: AsyncIterable<Buffer>;
  /** What the signature says the body is. */
  readonly payloadHash: PayloadHash;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly limits: Limits;
}

export interface ReceivedBody {
  /** With one reference to each, which belongs to the receiver. */
  readonly slices: readonly Slice[];
  readonly size: number;
  readonly sha256: Buffer;
}

const XML_SIZE_MAX = 4 * 1024 * 1024;
const KEY_SIZE_MAX = 1024;
const STORAGE_CLASSES = [
  "STANDARD",
  "LINE",
  "GLACIER_IR",
  "GLACIER",
  "DEEP_ARCHIVE",
  "INTELLIGENT_TIERING",
];

/** Streams the body into a blob. @throws `XAmzContentSHA256Mismatch`, `BadDigest`; nothing is kept then. */
export async function receiveBlob(call: Call): Promise<ReceivedBody> {
  if (call.headers["content-length"] === undefined)
    throw new Refusal("MissingContentLength", "The length of the body must be given");
  const { blobs } = call.disk;
  const blob = blobs.newName();
  const digest = new Digest(call);
  try {
    const size = await writeBody(call.body, blobs.pathOf(blob), digest);
    const sha256 = digest.verify();
    if (size === 0) await removeFile(blobs.pathOf(blob));
    const slices = size === 0 ? [] : [{ blob, offset: 0, size }];
    blobs.retain(slices);
    return { slices, size, sha256 };
  } catch (error) {
    await removeFile(blobs.pathOf(blob));
    throw error;
  }
}

/** The whole body as text. @throws as `receiveBlob`, and `MalformedXML` when it is longer than any sensible document. */
export async function receiveText(call: Call): Promise<string> {
  const digest = new Digest(call);
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of call.body) {
    digest.update(piece);
    size += piece.length;
    if (size <= XML_SIZE_MAX) pieces.push(piece);
  }
  digest.verify();
  if (size > XML_SIZE_MAX)
    throw new Refusal("MalformedXML", `The document can have at most ${XML_SIZE_MAX} bytes`);
  return Buffer.concat(pieces).toString("utf8");
}

/** What the headers of a request say of the object to be. @throws `InvalidStorageClass`. */
export function propertiesOf(headers: IncomingHttpHeaders): Properties {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (name.startsWith("x-amz-meta-")) metadata[name.slice("x-amz-meta-".length)] = String(value);
  const storageClass = String(headers["x-amz-storage-class"] ?? "STANDARD");
  if (!STORAGE_CLASSES.includes(storageClass))
    throw new Refusal("InvalidStorageClass", `There is no storage class ${storageClass}`);
  return {
    metadata,
    contentType: headers["content-type"] ?? "application/octet-stream",
    storageClass,
  };
}

/** @throws `KeyTooLongError`. */
export function assertKey(key: string): void {
  if (Buffer.byteLength(key) > KEY_SIZE_MAX)
    throw new Refusal("KeyTooLongError", `A key can have at most ${KEY_SIZE_MAX} bytes`);
}

/** A whole number from a query. @throws `InvalidArgument`. */
export function numberOf(
  call: Call,
  name: string,
  range: { min: number; max: number; absent?: number },
): number {
  const text = call.target.query.get(name);
  const value = text === undefined || text === "" ? range.absent : Number(text);
  if (value === undefined || !Number.isInteger(value) || value < range.min || value > range.max)
    throw new Refusal(
      "InvalidArgument",
      `${name} must be from ${range.min} to ${range.max}: received ${text}`,
    );
  return value;
}

async function writeBody(
  body: AsyncIterable<Buffer>,
  file: string,
  digest: Digest,
): Promise<number> {
  await using handle = await fs.open(file, "wx");
  let size = 0;
  for await (const piece of body) {
    digest.update(piece);
    await handle.writeFile(piece);
    size += piece.length;
  }
  return size;
}

/** The hashes of a body, against what the client said. */
class Digest {
  readonly #sha256 = createHash("sha256");
  readonly #md5 = createHash("md5");
  readonly #wantedSha256: PayloadHash;
  readonly #wantedMd5: string | undefined;

  constructor(call: Call) {
    const md5 = call.headers["content-md5"];
    this.#wantedSha256 = call.payloadHash;
    this.#wantedMd5 = typeof md5 === "string" ? md5 : undefined;
    if (this.#wantedMd5 !== undefined && Buffer.from(this.#wantedMd5, "base64").length !== 16)
      throw new Refusal("InvalidDigest", "Content-MD5 is not an MD5");
  }

  update(piece: Buffer): void {
    this.#sha256.update(piece);
    if (this.#wantedMd5 !== undefined) this.#md5.update(piece);
  }

  verify(): Buffer {
    const sha256 = this.#sha256.digest();
    if (this.#wantedSha256 !== undefined && sha256.toString("hex") !== this.#wantedSha256)
      throw new Refusal(
        "XAmzContentSHA256Mismatch",
        "The body does not hash to x-amz-content-sha256",
      );
    if (this.#wantedMd5 !== undefined && this.#md5.digest("base64") !== this.#wantedMd5)
      throw new Refusal("BadDigest", "The body does not hash to Content-MD5");
    return sha256;
  }
}
