// From what JSON gave to records, and the same check before a record is written: the two halves of the pair checks.
// Numbers and strings are checked for what recovery relies on; fields that are not known are left out.

import { CODES, type Code } from "../base/mod.ts";
import {
  type Attributes,
  type Base,
  type Held,
  type PartPlan,
  type SaveRecord,
  type SaveState,
  type Source,
  toEtag,
  toIno,
  toKey,
  toPartNumber,
  toRev,
  toSaveId,
  toSha256,
  toUploadId,
  type Want,
} from "../model/mod.ts";
import { Fields } from "./fields.ts";
import type {
  AckRecord,
  DataRecord,
  Identity,
  ObjectRecord,
  PartRecord,
  ReplyRecord,
  UploadRecord,
} from "./records.ts";

const SAVE_ID = /^[0-9a-f]{16}$/;
const SHA256 = /^[0-9a-f]{64}$/;
/** A `unique` of the kernel has 64 bits. */
const UNIQUE = /^\d{1,20}$/;

/** @throws `Corrupt`, as all of these do. */
export function parseSave(value: unknown): SaveRecord {
  const fields = new Fields("save", value);
  return {
    id: toSaveId(fields.text("id", SAVE_ID)),
    key: toKey(fields.text("key")),
    ino: toIno(fields.whole("ino", 1)),
    base: parseBase(fields.inside("base")),
    ...parseSource(fields),
    attributes: parseAttributes(fields.inside("attributes")),
    size: fields.whole("size"),
    fsynced: fields.flag("fsynced"),
    ...(fields.has("streaming") && fields.flag("streaming") ? { streaming: true } : {}),
    ...(fields.has("held") ? { held: parseHeld(fields.inside("held")) } : {}),
    ...(fields.has("tokens") ? { tokens: fields.textList("tokens") } : {}),
    state: parseState(fields.inside("state")),
  };
}

function parseState(fields: Fields): SaveState {
  const kind = fields.text("kind");
  switch (kind) {
    case "open":
      return { kind };
    case "held":
      return { kind, since: fields.number("since"), size: fields.whole("size") };
    case "refused":
      return { kind, why: parseCode(fields) };
    case "closed":
      return { kind, ...parseClosing(fields) };
    case "completing":
      return { kind, ...parseClosing(fields), token: fields.text("token") };
    case "parked":
      return { kind, ...parseClosing(fields), why: parseCode(fields) };
    case "interrupted":
      return { kind, since: fields.number("since"), size: fields.whole("size") };
    default:
      throw fields.unknown("kind");
  }
}

function parseHeld(fields: Fields): Held {
  return fields.has("final") ? { final: toKey(fields.text("final")) } : {};
}

function parseClosing(fields: Fields): { size: number; closedAt: number; order: number } {
  return {
    size: fields.whole("size"),
    closedAt: fields.number("closedAt"),
    order: fields.number("order"),
  };
}

function parseCode(fields: Fields): Code {
  const text = fields.text("why");
  const code = CODES.find((known) => known === text);
  if (code === undefined) throw fields.unknown("why");
  return code;
}

function parseBase(fields: Fields): Base {
  const kind = fields.text("kind");
  if (kind === "absent") return { kind };
  if (kind !== "object") throw fields.unknown("kind");
  return { kind, etag: toEtag(fields.text("etag")), size: fields.whole("size") };
}

function parseSource(fields: Fields): { source?: Source } {
  if (!fields.has("source")) return {};
  const source = fields.inside("source");
  const key = toKey(source.text("key"));
  return { source: { key, etag: toEtag(source.text("etag")), size: source.whole("size") } };
}

function parseAttributes(fields: Fields): Attributes {
  return {
    mode: fields.number("mode", 0),
    uid: fields.number("uid", 0),
    gid: fields.number("gid", 0),
    mtimeMs: fields.number("mtimeMs"),
    ...(fields.has("ctimeMs") ? { ctimeMs: fields.number("ctimeMs") } : {}),
    ...(fields.has("xattrs") ? { xattrs: fields.texts("xattrs") } : {}),
  };
}

export function parsePart(value: unknown): PartRecord {
  const fields = new Fields("part", value);
  return {
    save: toSaveId(fields.text("save", SAVE_ID)),
    partNumber: toPartNumber(fields.whole("partNumber", 1)),
    content: parsePartContent(fields.inside("content")),
  };
}

function parsePartContent(fields: Fields): PartRecord["content"] {
  const kind = fields.text("kind");
  if (kind === "base") return { kind };
  if (kind === "evicted")
    return {
      kind,
      rev: toRev(fields.whole("rev", 1)),
      size: fields.whole("size"),
      sha256: toSha256(fields.text("sha256", SHA256)),
    };
  if (kind !== "spill") throw fields.unknown("kind");
  return {
    kind,
    rev: toRev(fields.whole("rev", 1)),
    size: fields.whole("size"),
    ...(fields.has("sha256") ? { sha256: toSha256(fields.text("sha256", SHA256)) } : {}),
  };
}

export function parseData(value: unknown): DataRecord {
  const fields = new Fields("data", value);
  const bytes = Buffer.from(fields.text("base64"), "base64");
  const record = {
    save: toSaveId(fields.text("save", SAVE_ID)),
    index: fields.whole("index", 1),
    rev: toRev(fields.whole("rev", 1)),
    size: fields.whole("size"),
    offset: fields.whole("offset"),
    bytes,
  };
  if (record.offset + bytes.length > record.size) throw fields.unknown("size");
  return record;
}

export function parseUpload(value: unknown): UploadRecord {
  const fields = new Fields("upload", value);
  return {
    key: toKey(fields.text("key")),
    uploadId: toUploadId(fields.text("uploadId", /./)),
    token: fields.text("token"),
    plan: parsePlan(fields.inside("plan")),
    createdAt: fields.number("createdAt"),
    doubt: fields.flag("doubt"),
  };
}

function parsePlan(fields: Fields): PartPlan {
  return {
    tiers: fields.list("tiers", (tier) => ({
      count: tier.whole("count", 1),
      size: tier.whole("size", 1),
    })),
  };
}

/** The identity of what was acknowledged is a SHA-256, or says which range of which object was copied. */
export function parseAck(value: unknown): AckRecord {
  const fields = new Fields("acknowledgement", value);
  return {
    uploadId: toUploadId(fields.text("uploadId", /./)),
    partNumber: toPartNumber(fields.whole("partNumber", 1)),
    sha256: fields.text("sha256"),
    size: fields.whole("size"),
    etag: toEtag(fields.text("etag")),
  };
}

export function parseWant(value: unknown): Want {
  const fields = new Fields("want", value);
  const kind = fields.text("kind");
  switch (kind) {
    case "absent":
      return { kind, ...(fields.has("etag") ? { etag: toEtag(fields.text("etag")) } : {}) };
    case "copy":
      return {
        kind,
        from: toKey(fields.text("from")),
        etag: toEtag(fields.text("etag")),
        size: fields.whole("size"),
        ...(fields.has("attributes")
          ? { attributes: parseAttributes(fields.inside("attributes")) }
          : {}),
        order: fields.number("order"),
      };
    case "attributes":
      return {
        kind,
        etag: toEtag(fields.text("etag")),
        size: fields.whole("size"),
        attributes: parseAttributes(fields.inside("attributes")),
        token: fields.text("token"),
        since: fields.number("since"),
      };
    default:
      throw fields.unknown("kind");
  }
}

export function parseObject(value: unknown): ObjectRecord {
  const fields = new Fields("object", value);
  return {
    key: toKey(fields.text("key")),
    etag: toEtag(fields.text("etag")),
    size: fields.whole("size"),
    attributes: parseAttributes(fields.inside("attributes")),
    parts: fields.list("parts", (part) => ({
      sha256: part.text("sha256"),
      size: part.whole("size"),
    })),
    plan: fields.has("plan") ? parsePlan(fields.inside("plan")) : undefined,
  };
}

/** The key of an upload that is to be aborted; its id is in the catalog's key. */
export function parseAbort(value: unknown): ObjectRecord["key"] {
  return toKey(new Fields("abort", value).text("key"));
}

export function parseReply(value: unknown): ReplyRecord {
  const fields = new Fields("reply", value);
  const reply = fields.inside("reply");
  return {
    unique: fields.text("unique", UNIQUE),
    reply: {
      ...(reply.has("ino") ? { ino: toIno(reply.whole("ino", 1)) } : {}),
      ...(reply.has("handle") ? { handle: reply.whole("handle") } : {}),
    },
  };
}

export function parseIdentity(value: unknown): Identity {
  const fields = new Fields("identity", value);
  return {
    endpoint: fields.text("endpoint"),
    bucket: fields.text("bucket"),
    prefix: fields.text("prefix"),
  };
}
