// From what JSON gave to records: the second half of the pair checks. What does not fit is `Corrupt`.

import { KodomountError } from "../base/mod.ts";
import type { SaveRecord } from "../model/mod.ts";
import { type Key, toKey, toUploadId, type UploadId, type Want } from "../model/mod.ts";
import type {
  AckRecord,
  CatalogContents,
  Identity,
  ObjectRecord,
  PartRecord,
  ReplyRecord,
  UploadRecord,
} from "./records.ts";

type Shape = Readonly<Record<string, "string" | "number" | "boolean" | "object">>;

const SAVE: Shape = {
  id: "string",
  key: "string",
  ino: "number",
  base: "object",
  attributes: "object",
  size: "number",
  fsynced: "boolean",
  state: "object",
};
const PART: Shape = { save: "string", partNumber: "number", content: "object" };
const UPLOAD: Shape = {
  key: "string",
  uploadId: "string",
  token: "string",
  plan: "object",
  createdAt: "number",
  doubt: "boolean",
};
const ACK: Shape = {
  uploadId: "string",
  partNumber: "number",
  sha256: "string",
  size: "number",
  etag: "string",
};
const OBJECT: Shape = {
  key: "string",
  etag: "string",
  size: "number",
  attributes: "object",
  parts: "object",
};
const REPLY: Shape = { unique: "string", reply: "object" };
const IDENTITY: Shape = { endpoint: "string", bucket: "string", prefix: "string" };

/** A record of that shape. The fields' own insides were written by us under the same checksum. */
function parse<T>(name: string, shape: Shape, value: unknown): T {
  const fits =
    typeof value === "object" &&
    value !== null &&
    Object.entries(shape).every(([field, type]) => {
      const inside: unknown = (value as Record<string, unknown>)[field];
      return typeof inside === type && inside !== null;
    });
  if (!fits)
    throw new KodomountError(
      "Corrupt",
      `The catalog's record ${JSON.stringify(name)} lacks what it must have`,
    );
  return value as T;
}

export function parseIdentity(value: unknown): Identity {
  return parse("m/identity", IDENTITY, value);
}

export function parseObject(value: unknown): ObjectRecord {
  const record = parse<ObjectRecord>("o/", OBJECT, value);
  return { ...record, plan: record.plan };
}

export function parseContents(entries: ReadonlyMap<string, unknown>): CatalogContents {
  const saves: SaveRecord[] = [];
  const parts: PartRecord[] = [];
  const uploads: UploadRecord[] = [];
  const acks: AckRecord[] = [];
  const wants: { key: Key; want: Want }[] = [];
  const aborts: { key: Key; uploadId: UploadId }[] = [];
  const replies: ReplyRecord[] = [];
  for (const [name, value] of entries) {
    const rest = name.slice(2);
    if (name.startsWith("s/")) saves.push(parse(name, SAVE, value));
    else if (name.startsWith("p/")) parts.push(parse(name, PART, value));
    else if (name.startsWith("u/")) uploads.push(parse(name, UPLOAD, value));
    else if (name.startsWith("a/")) acks.push(parse(name, ACK, value));
    else if (name.startsWith("n/"))
      wants.push({ key: toKey(rest), want: parse(name, { kind: "string" }, value) });
    else if (name.startsWith("x/"))
      aborts.push({
        key: parse<{ key: Key }>(name, { key: "string" }, value).key,
        uploadId: toUploadId(rest),
      });
    else if (name.startsWith("r/")) replies.push(parse(name, REPLY, value));
  }
  return { saves, parts, uploads, acks, wants, aborts, replies };
}
