// AWS Signature Version 4 in the Authorization header, checked as a server does: nothing of the client's code is used.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";
import type { Target } from "./target.ts";

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

/** What the client says the body hashes to: 64 hexadecimal digits, or undefined when it did not sign the body. */
export type PayloadHash = string | undefined;

const SKEW_MAX_MS = 15 * 60 * 1000;

/**
 * Refuses a request that is not signed with `keys`.
 * @param nowMs the server's time.
 * @returns the hash that the body must have.
 */
export function verifySignature(
  request: Pick<IncomingMessage, "method" | "headers" | "headersDistinct">,
  target: Target,
  keys: Keys,
  nowMs: number,
): PayloadHash {
  const given = parseAuthorization(request.headers.authorization);
  const { date, region } = given;
  if (given.accessKeyId !== keys.accessKeyId)
    throw new Refusal("InvalidAccessKeyId", "The access key does not exist");
  if (region !== keys.region)
    throw new Refusal("IncorrectRegion", `The region is ${keys.region}: received ${region}`);
  const time = headerOf(request, "x-amz-date");
  assertTime(time, date, nowMs);
  assertSigned(request, given.signedHeaders);
  const payload = headerOf(request, "x-amz-content-sha256");
  const scope = `${date}/${region}/s3/aws4_request`;
  const canonical = canonicalRequest(request, target, given.signedHeaders, payload);
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const expected = hmac(signingKey(keys.secretAccessKey, date, region), text);
  const received = Buffer.from(given.signature, "hex");
  if (received.length !== expected.length || !timingSafeEqual(received, expected))
    throw new Refusal("SignatureDoesNotMatch", "The signature is not that of this request");
  return parsePayloadHash(payload);
}

interface Authorization {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 +Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/s3\/aws4_request, *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$/;

function parseAuthorization(header: string | undefined): Authorization {
  // Kodo's S3 never serves a request without a name.
  if (header === undefined)
    throw new Refusal("NotSupportAnonymous", "Anonymous requests are not supported");
  const match = AUTHORIZATION.exec(header);
  const [, accessKeyId, date, region, signedHeaders, signature] = match ?? [];
  if (!accessKeyId || !date || !region || !signedHeaders || !signature)
    throw new Refusal(
      "AuthorizationHeaderMalformed",
      "The Authorization header is not one of Signature Version 4 for s3",
    );
  return { accessKeyId, date, region, signedHeaders: signedHeaders.split(";"), signature };
}

function headerOf(request: Pick<IncomingMessage, "headers">, name: string): string {
  const value = request.headers[name];
  if (typeof value !== "string")
    throw new Refusal("MissingSecurityHeader", `The header ${name} is missing`);
  return value;
}

function assertTime(time: string, scopeDate: string, nowMs: number): void {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time);
  if (match === null || !time.startsWith(scopeDate))
    throw new Refusal("AccessDenied", "x-amz-date is not a time of the day in the credential");
  const [, year, month, day, hour, minute, second] = match.map(Number);
  const signedMs = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
  if (Math.abs(signedMs - nowMs) > SKEW_MAX_MS)
    throw new Refusal("RequestTimeTooSkewed", "The clocks differ by more than 15 minutes");
}

/** What is not signed could be changed on the way: S3 wants the host and every header of its own to be covered. */
function assertSigned(request: Pick<IncomingMessage, "headers">, signed: readonly string[]): void {
  const must = [
    "host",
    ...Object.keys(request.headers).filter((name) => name.startsWith("x-amz-")),
  ];
  const missing = must.filter((name) => !signed.includes(name));
  if (missing.length > 0)
    throw new Refusal("AccessDenied", `Headers that are not signed: ${missing.join(", ")}`);
}

function canonicalRequest(
  request: Pick<IncomingMessage, "method" | "headersDistinct">,
  target: Target,
  signed: readonly string[],
  payload: string,
): string {
  const headers = signed.map((name) => {
    const values = request.headersDistinct[name] ?? [];
    return `${name}:${values.map((value) => value.trim().replace(/ +/g, " ")).join(",")}\n`;
  });
  return [
    request.method,
    target.path.split("/").map(encode).join("/"),
    canonicalQuery(target.query),
    headers.join(""),
    signed.join(";"),
    payload,
  ].join("\n");
}

function canonicalQuery(query: ReadonlyMap<string, string>): string {
  return [...query]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join("&");
}

/** RFC 3986: all but letters, digits and `-._~`. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function signingKey(secret: string, date: string, region: string): Buffer {
  return [date, region, "s3", "aws4_request"].reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`));
}

function parsePayloadHash(value: string): PayloadHash {
  if (/^[0-9a-f]{64}$/.test(value)) return value;
  if (value === "UNSIGNED-PAYLOAD") return undefined;
  throw new Refusal("NotImplemented", `x-amz-content-sha256 ${value} is not supported`);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
