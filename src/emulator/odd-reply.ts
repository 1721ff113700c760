// Replies that no store should give, as broken proxies and careless stores do: the work is done, the answer is wrong.

import type { Lease } from "./blobs.ts";
import type { Reply } from "./reply.ts";

export const ODDITIES = [
  /** A range is answered with status 200 and the whole object. */
  "whole",
  /** Content-Range names other bytes than were asked for. */
  "other-range",
  /** More bytes come than were asked for, and are announced. */
  "longer",
  /** The ETag is not the object's. */
  "other-etag",
  /** There is no ETag. */
  "no-etag",
  /** A page of somebody else's with status 200. */
  "garbage",
  /** A listing that never ends: it gives the same token again and again. */
  "same-token",
] as const;

export type Oddity = (typeof ODDITIES)[number];

/** `reply` as it should not be. For `whole` the work must have been asked for without its range. */
export function oddReply(reply: Reply, how: Oddity): Reply {
  const { headers = {}, body } = reply;
  switch (how) {
    case "whole":
      return reply;
    case "other-range":
      return { ...reply, headers: { ...headers, "Content-Range": moved(headers) } };
    case "longer":
      return body?.kind === "lease" ? longer(reply, body.lease) : reply;
    case "other-etag":
      return { ...reply, headers: { ...headers, ETag: '"another"' } };
    case "no-etag":
      return { ...reply, headers: without(headers, "ETag") };
    case "garbage":
      return { status: 200, body: { kind: "text", text: "<html><p>Log in", type: "text/html" } };
    case "same-token":
      return body?.kind === "text"
        ? { ...reply, body: { ...body, text: endless(body.text) } }
        : reply;
  }
}

function moved(headers: Readonly<Record<string, string>>): string {
  const next = (number: string): string => String(Number(number) + 1);
  return (headers["Content-Range"] ?? "bytes 0-0/1").replace(/\d+(?=[-/])/g, next);
}

const MORE = Buffer.from("more than was asked for");

function longer({ status, headers = {} }: Reply, lease: Lease): Reply {
  const size = Number(headers["Content-Length"]) + MORE.length;
  async function* read(): AsyncGenerator<Buffer> {
    yield* lease.read();
    yield MORE;
  }
  return {
    status,
    headers: { ...headers, "Content-Length": String(size) },
    body: { kind: "lease", lease: { ...lease, read }, size },
  };
}

function without(
  headers: Readonly<Record<string, string>>,
  name: string,
): Readonly<Record<string, string>> {
  const { [name]: _, ...rest } = headers;
  return rest;
}

function endless(text: string): string {
  const token = `<NextContinuationToken>${Buffer.from("after:").toString("base64url")}</NextContinuationToken>`;
  return text
    .replace(/<NextContinuationToken>.*?<\/NextContinuationToken>/, "")
    .replace(/<IsTruncated>.*?<\/IsTruncated>/, `<IsTruncated>true</IsTruncated>${token}`);
}
