// What a request asks for, from its method, path and query: bucket, key, and which of S3's operations it is.

import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";

export const OPERATION_KINDS = [
  "ListBuckets",
  "CreateBucket",
  "HeadBucket",
  "ListObjectsV2",
  "ListMultipartUploads",
  "DeleteObjects",
  "PutObject",
  "CopyObject",
  "GetObject",
  "HeadObject",
  "DeleteObject",
  "RestoreObject",
  "CreateMultipartUpload",
  "UploadPart",
  "UploadPartCopy",
  "ListParts",
  "CompleteMultipartUpload",
  "AbortMultipartUpload",
  /** What this server does not know. */
  "Other",
] as const;

export type OperationKind = (typeof OPERATION_KINDS)[number];

export interface Target {
  readonly kind: OperationKind;
  /** "" when the request is for the server itself. */
  readonly bucket: string;
  /** "" when the request is for a bucket. */
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  /** Decoded, as the signature covers it. */
  readonly path: string;
}

/** What a request is for that nobody can read, or that is not for S3. */
export const NOWHERE: Target = { kind: "Other", bucket: "", key: "", query: new Map(), path: "" };

/** @throws `InvalidURI` when path or query are not percent-encoded UTF-8. */
export function targetOf(request: Pick<IncomingMessage, "method" | "url" | "headers">): Target {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  // Not by `new URL`, which would turn `a/../b` and the like into another key.
  const path = decode(mark < 0 ? url : url.slice(0, mark));
  const query = parseQuery(mark < 0 ? "" : url.slice(mark + 1));
  const slash = path.indexOf("/", 1);
  const bucket = slash < 0 ? path.slice(1) : path.slice(1, slash);
  const key = slash < 0 ? "" : path.slice(slash + 1);
  const copies = request.headers["x-amz-copy-source"] !== undefined;
  const kind = kindOf({ method: request.method ?? "", bucket, key, query, copies });
  return { kind, bucket, key, query, path };
}

interface Asked {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  readonly copies: boolean;
}

function kindOf(asked: Asked): OperationKind {
  if (asked.bucket === "") return asked.method === "GET" ? "ListBuckets" : "Other";
  return asked.key === "" ? bucketKind(asked) : objectKind(asked);
}

function bucketKind({ method, query }: Asked): OperationKind {
  if (method === "HEAD") return "HeadBucket";
  if (method === "PUT" && query.size === 0) return "CreateBucket";
  if (method === "POST" && query.has("delete")) return "DeleteObjects";
  if (method === "GET" && query.has("uploads")) return "ListMultipartUploads";
  if (method === "GET" && query.get("list-type") === "2") return "ListObjectsV2";
  return "Other";
}

/** What the SDK adds to name the operation means nothing. */
const SUBRESOURCES = ["acl", "tagging", "retention", "legal-hold", "attributes", "torrent"];

function objectKind({ method, query, copies }: Asked): OperationKind {
  if (SUBRESOURCES.some((name) => query.has(name))) return "Other";
  const part = query.has("uploadId");
  switch (method) {
    case "HEAD":
      return "HeadObject";
    case "GET":
      return part ? "ListParts" : "GetObject";
    case "DELETE":
      return part ? "AbortMultipartUpload" : "DeleteObject";
    case "POST":
      if (query.has("uploads")) return "CreateMultipartUpload";
      if (query.has("restore")) return "RestoreObject";
      return part ? "CompleteMultipartUpload" : "Other";
    case "PUT":
      if (part) return copies ? "UploadPartCopy" : "UploadPart";
      return copies ? "CopyObject" : "PutObject";
    default:
      return "Other";
  }
}

function parseQuery(text: string): Map<string, string> {
  const query = new Map<string, string>();
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const mark = pair.indexOf("=");
    const [name, value] = mark < 0 ? [pair, ""] : [pair.slice(0, mark), pair.slice(mark + 1)];
    query.set(decode(name.replaceAll("+", " ")), decode(value.replaceAll("+", " ")));
  }
  return query;
}

/** Percent-decoding. @throws `InvalidURI`. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new Refusal("InvalidURI", `Cannot decode ${JSON.stringify(text)}: ${String(error)}`);
  }
}
