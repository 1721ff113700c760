// Requests for one object.

import { assertReadable, restoreHeaders } from "./archive.ts";
import { cut } from "./blobs.ts";
import { assertKey, type Call, propertiesOf, receiveBlob } from "./call.ts";
import { copySourceOf } from "./copy-source.ts";
import { etagOfBody, etagOfCopy } from "./etag.ts";
import type { ObjectRecord } from "./objects.ts";
import { Refusal } from "./refusal.ts";
import { isoTime, type Reply, xmlReply } from "./reply.ts";

export async function putObject(call: Call): Promise<Reply> {
  const { disk, target, clock } = call;
  assertKey(target.key);
  const bucket = disk.bucket(target.bucket);
  const properties = propertiesOf(call.headers);
  const { slices, sha256 } = await receiveBlob(call);
  const etag = etagOfBody(sha256);
  const record = { ...properties, key: target.key, etag, slices, lastModifiedMs: clock.now() };
  await bucket.change(() => bucket.objects.put(record));
  return { status: 200, headers: { ETag: etag } };
}

export async function getObject(call: Call): Promise<Reply> {
  const record = find(call);
  assertReadable(record, call.clock.now());
  const range = parseRange(call.headers.range, record.size);
  const { offset, length } = range ?? { offset: 0, length: record.size };
  // No await between finding the record and the lease: the bytes of this version stay.
  const lease = call.disk.blobs.lease(record.slices, offset, length);
  const headers = { ...headersOf(call, record), "Content-Length": String(length) };
  const body = { kind: "lease" as const, lease, size: length };
  if (range === undefined) return { status: 200, headers, body };
  const contentRange = `bytes ${offset}-${offset + length - 1}/${record.size}`;
  return { status: 206, headers: { ...headers, "Content-Range": contentRange }, body };
}

export async function headObject(call: Call): Promise<Reply> {
  const record = find(call);
  const headers = { ...headersOf(call, record), "Content-Length": String(record.size) };
  return { status: 200, headers };
}

export async function deleteObject(call: Call): Promise<Reply> {
  const bucket = call.disk.bucket(call.target.bucket);
  await bucket.change(() => bucket.objects.delete(call.target.key));
  return { status: 204 };
}

export async function copyObject(call: Call): Promise<Reply> {
  const { disk, target, clock, headers, limits } = call;
  assertKey(target.key);
  const bucket = disk.bucket(target.bucket);
  const given = propertiesOf(headers);
  const source = copySourceOf(call);
  if (source.size > limits.copySizeMax)
    throw new Refusal("CopyObjectTooLarge", `One copy takes at most ${limits.copySizeMax} bytes`);
  const replaces = String(headers["x-amz-metadata-directive"]).toUpperCase() === "REPLACE";
  const lastModifiedMs = clock.now();
  const record = {
    metadata: replaces ? given.metadata : source.metadata,
    contentType: replaces ? given.contentType : source.contentType,
    // As at S3 the class is never copied.
    storageClass: given.storageClass,
    key: target.key,
    etag: etagOfCopy(source.etag),
    slices: cut(source.slices, 0, source.size),
    lastModifiedMs,
  };
  disk.blobs.retain(record.slices);
  await bucket.change(() => bucket.objects.put(record));
  return xmlReply("CopyObjectResult", { LastModified: isoTime(lastModifiedMs), ETag: record.etag });
}

function find(call: Call): ObjectRecord {
  const record = call.disk.bucket(call.target.bucket).objects.find(call.target.key);
  if (record === undefined) throw new Refusal("NoSuchKey", "The object does not exist");
  return record;
}

function headersOf({ clock }: Call, record: ObjectRecord): Record<string, string> {
  const metadata = Object.entries(record.metadata).map(([name, value]) => [
    `x-amz-meta-${name}`,
    value,
  ]);
  return {
    ...Object.fromEntries(metadata),
    "Content-Type": record.contentType,
    ETag: record.etag,
    "Last-Modified": new Date(record.lastModifiedMs).toUTCString(),
    "Accept-Ranges": "bytes",
    "x-amz-storage-class": record.storageClass,
    ...restoreHeaders(record, clock.now()),
  };
}

/** One range as RFC 9110 has it; anything else asks for the whole. @throws `InvalidRange` when it begins behind the end. */
function parseRange(
  header: string | undefined,
  size: number,
): { offset: number; length: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const suffix = match[1] === "";
  const first = suffix ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = suffix || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (!suffix && match[2] !== "" && Number(match[2]) < first) return undefined;
  if (first >= size)
    throw new Refusal("InvalidRange", "The range begins behind the end", {
      "Content-Range": `bytes */${size}`,
    });
  return { offset: first, length: last - first + 1 };
}
