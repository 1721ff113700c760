// `/-/`: the server's own pages, for other processes on this machine: order faults, read what was asked.

import type { IncomingMessage } from "node:http";
import { KodomountError } from "../base/mod.ts";
import type { Faults, Order, OrderRequest } from "./faults.ts";
import { errorReply, jsonReply, type Reply } from "./reply.ts";
import type { RequestEntry } from "./request-log.ts";
import type { UploadView } from "./view.ts";

export const CONTROL_PREFIX = "/-/";

export interface ControlParts {
  readonly faults: Faults;
  requests(): RequestEntry[];
  uploads(): Promise<UploadView[]>;
}

const BODY_SIZE_MAX = 64 * 1024;

/** Answers a request below `/-/`. */
export async function control(request: IncomingMessage, parts: ControlParts): Promise<Reply> {
  switch (`${request.method} ${request.url}`) {
    case "GET /-/orders":
      return jsonReply(parts.faults.list().map(toJson));
    case "POST /-/orders":
      return postOrder(request, parts.faults);
    case "DELETE /-/orders":
      for (const order of parts.faults.list()) order.cancel();
      return jsonReply([]);
    case "GET /-/requests":
      return jsonReply(parts.requests());
    case "GET /-/uploads":
      return jsonReply(await parts.uploads());
    default:
      return errorReply({ status: 404, code: "NotFound", message: "There is no such page" });
  }
}

async function postOrder(request: IncomingMessage, faults: Faults): Promise<Reply> {
  // A page in a browser cannot send this type without asking first.
  if (request.headers["content-type"] !== "application/json")
    return errorReply({
      status: 415,
      code: "Invalid",
      message: "Content-Type must be application/json",
    });
  try {
    return jsonReply(toJson(faults.order(toRequest(await readJson(request)))));
  } catch (error) {
    if (!(error instanceof KodomountError)) throw error;
    return errorReply({ status: 400, code: "Invalid", message: error.message });
  }
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size <= BODY_SIZE_MAX) pieces.push(piece);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(pieces).toString("utf8"));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw new KodomountError("Invalid", "The order is not JSON", { cause: error });
  }
  throw new KodomountError("Invalid", "The order must be an object");
}

/** `key` is the beginning of a key; `keyPattern` a regular expression. `Faults` checks the rest. */
function toRequest(value: Record<string, unknown>): OrderRequest {
  const { keyPattern, fault, ...rest } = value;
  if (typeof fault !== "object" || fault === null)
    throw new KodomountError("Invalid", "The order must have a 'fault'");
  const key = keyPattern === undefined ? {} : { key: toPattern(String(keyPattern)) };
  return {
    ...(rest as Omit<OrderRequest, "fault">),
    fault: fault as OrderRequest["fault"],
    ...key,
  };
}

function toPattern(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw new KodomountError("Invalid", `Not a regular expression: ${source}`, { cause: error });
  }
}

function toJson({ id, request, fired }: Order): Record<string, unknown> {
  const { key, ...rest } = request;
  const shown = key instanceof RegExp ? { keyPattern: key.source } : { key };
  return { id, fired, ...rest, ...shown };
}
