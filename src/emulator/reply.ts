// What a handler hands back: a status, headers, and a body that is a text or leased bytes.

import type { Lease } from "./blobs.ts";
import { toXml, type XmlValue } from "./xml.ts";

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: ReplyBody;
}

export type ReplyBody =
  | { readonly kind: "text"; readonly text: string; readonly type: string }
  /** Whoever sends it disposes of the lease. */
  | { readonly kind: "lease"; readonly lease: Lease; readonly size: number };

export function xmlReply(root: string, content: { readonly [name: string]: XmlValue }): Reply {
  return {
    status: 200,
    body: { kind: "text", text: toXml(root, content), type: "application/xml" },
  };
}

export function jsonReply(value: unknown): Reply {
  return {
    status: 200,
    body: { kind: "text", text: JSON.stringify(value), type: "application/json" },
  };
}

export interface ErrorParts {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function errorReply({ status, code, message, headers = {} }: ErrorParts): Reply {
  const text = toXml("Error", { Code: code, Message: message });
  return { status, headers, body: { kind: "text", text, type: "application/xml" } };
}

/** Time as XML has it; whole seconds, as in the header. */
export function isoTime(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString();
}
