// Requests for the server and for one bucket.

import { type Call, numberOf, receiveText } from "./call.ts";
import { type Listing, listPage } from "./listing.ts";
import { Refusal } from "./refusal.ts";
import { isoTime, type Reply, xmlReply } from "./reply.ts";
import { listOf, readXml, textOf } from "./xml.ts";

const DELETE_COUNT_MAX = 1000;

export async function listBuckets({ disk }: Call): Promise<Reply> {
  const buckets = disk.buckets.map(({ name, createdMs }) => ({
    Name: name,
    CreationDate: isoTime(createdMs),
  }));
  return xmlReply("ListAllMyBucketsResult", { Buckets: { Bucket: buckets } });
}

export async function createBucket(call: Call): Promise<Reply> {
  // May say where the bucket shall live: there is one place.
  await receiveText(call);
  await call.disk.create(call.target.bucket);
  return { status: 200, headers: { Location: `/${call.target.bucket}` } };
}

export async function headBucket({ disk, target }: Call): Promise<Reply> {
  disk.bucket(target.bucket);
  return { status: 200 };
}

/** Kodo knows no encoding-type: it is ignored, keys come as they are. */
export async function listObjects(call: Call): Promise<Reply> {
  const { disk, target, limits } = call;
  const { objects } = disk.bucket(target.bucket);
  const [prefix, delimiter] = [
    target.query.get("prefix") ?? "",
    target.query.get("delimiter") ?? "",
  ];
  const asked = numberOf(call, "max-keys", { min: 0, max: Number.MAX_SAFE_INTEGER, absent: 1000 });
  const max = Math.min(asked, limits.pageSizeMax);
  const token = target.query.get("continuation-token");
  const after = token === undefined ? (target.query.get("start-after") ?? "") : fromToken(token);
  const page = listPage(objects.keys, { prefix, delimiter, after, max });
  return xmlReply("ListBucketResult", {
    Name: target.bucket,
    Prefix: prefix,
    Delimiter: delimiter === "" ? undefined : delimiter,
    MaxKeys: max,
    KeyCount: page.keys.length + page.prefixes.length,
    IsTruncated: page.next !== undefined,
    ContinuationToken: token,
    NextContinuationToken: page.next === undefined ? undefined : toToken(page.next),
    Contents: contentsOf(call, page),
    CommonPrefixes: page.prefixes.map((Prefix) => ({ Prefix })),
  });
}

/** Content-MD5 is not asked for, as at Kodo. */
export async function deleteObjects(call: Call): Promise<Reply> {
  const bucket = call.disk.bucket(call.target.bucket);
  const content = readXml("Delete", await receiveText(call));
  const keys = listOf(content, "Object").map((object) => textOf(object, "Key"));
  if (keys.length === 0 || keys.length > DELETE_COUNT_MAX)
    throw new Refusal(
      "MalformedXML",
      `From 1 to ${DELETE_COUNT_MAX} keys can be deleted: received ${keys.length}`,
    );
  for (const key of keys) await bucket.change(() => bucket.objects.delete(key));
  const deleted = content["Quiet"] === "true" ? [] : keys.map((Key) => ({ Key }));
  return xmlReply("DeleteResult", { Deleted: deleted });
}

function contentsOf({ disk, target }: Call, page: Listing): Record<string, string | number>[] {
  const { objects } = disk.bucket(target.bucket);
  return page.keys.flatMap((key) => {
    const record = objects.find(key);
    if (record === undefined) return [];
    return {
      Key: key,
      LastModified: isoTime(record.lastModifiedMs),
      ETag: record.etag,
      Size: record.size,
      StorageClass: record.storageClass,
    };
  });
}

function toToken(key: string): string {
  return Buffer.from(`after:${key}`).toString("base64url");
}

function fromToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  if (!text.startsWith("after:"))
    throw new Refusal("InvalidArgument", "The continuation token is not one of ours");
  return text.slice("after:".length);
}
