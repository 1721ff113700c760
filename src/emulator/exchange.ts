// One request from its arrival to its answer: log, fault, signature, work, reply. The decisions are here, in this order.

import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { type Clock, describe, type Log, unreachable } from "../base/mod.ts";
import type { Limits } from "./call.ts";
import type { Disk } from "./disk.ts";
import type { Fault, Faults } from "./faults.ts";
import { oddReply } from "./odd-reply.ts";
import { Refusal } from "./refusal.ts";
import { errorReply, type Reply } from "./reply.ts";
import type { RequestLog } from "./request-log.ts";
import { dispatch } from "./router.ts";
import { type Keys, verifySignature } from "./signature.ts";
import { NOWHERE, type Target, targetOf } from "./target.ts";
import { Wire } from "./wire.ts";

/** What all requests share. */
export interface Shared {
  readonly disk: Disk;
  readonly keys: Keys;
  readonly limits: Limits;
  readonly faults: Faults;
  readonly requests: RequestLog;
  readonly clock: Clock;
  readonly log: Log;
  /** Before each answer. */
  readonly latencyMs: number;
}

/** Serves one request. Never rejects. */
export async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  shared: Shared,
): Promise<void> {
  const { clock, faults, requests, log, latencyMs } = shared;
  const target = targetOrRefusal(request);
  const asked = target instanceof Refusal ? NOWHERE : target;
  const fault = faults.take(asked);
  const entry = requests.begin(asked, clock.now(), fault);
  const wire = new Wire(request, response, entry, fault);
  const id = randomBytes(8).toString("hex");
  response.setHeader("x-amz-request-id", id);
  response.setHeader("X-Reqid", id);
  // Clients set their clock by it.
  response.setHeader("Date", new Date(clock.now()).toUTCString());
  try {
    if (latencyMs > 0) await clock.sleep(latencyMs);
    const answer: Answer = (body = wire.body(), headers = request.headers) =>
      work(request, target, { wire, shared, headers }, body);
    const reply = await underFault(fault, { wire, shared, target: asked, answer });
    if (reply !== undefined) await wire.send(reply);
  } catch (error) {
    // Only the connection is left to fail here: the work turns its own failures into replies.
    log.debug({ kind: asked.kind, key: asked.key }, `The connection broke: ${describe(error)}`);
    wire.reset();
  }
}

interface Context {
  readonly wire: Wire;
  readonly shared: Shared;
}

/** Does the work, of other bytes or by other headers than came in when they are given. */
type Answer = (body?: AsyncIterable<Buffer>, headers?: IncomingHttpHeaders) => Promise<Reply>;

/** The reply to send, or undefined when the fault leaves none. */
async function underFault(
  fault: Fault | undefined,
  context: Context & { target: Target; answer: Answer },
): Promise<Reply | undefined> {
  const { wire, shared, target, answer } = context;
  if (fault === undefined) return answer();
  switch (fault.kind) {
    case "status":
      return errorReply({
        status: fault.status,
        code: fault.code ?? CODE_BY_STATUS[fault.status] ?? "InternalError",
        message: "A fault that was ordered",
      });
    case "reset":
      if (fault.afterBytes !== undefined) return answer();
      wire.reset();
      return undefined;
    case "stall":
      if (fault.afterBytes !== undefined) return answer();
      await wire.drain();
      return wire.stall();
    case "lost-reply": {
      await dropReply(await answer());
      wire.reset();
      return undefined;
    }
    case "slow":
      await shared.clock.sleep(fault.delayMs);
      return answer();
    case "late": {
      const body = await Readable.from(wire.body()).toArray();
      wire.reset();
      await shared.clock.sleep(fault.delayMs);
      await dropReply(await answer(Readable.from(body)));
      return undefined;
    }
    case "error-in-200":
      await wire.drain();
      return errorReply({ status: 200, code: fault.code, message: "A fault that was ordered" });
    case "no-such-upload":
      await expire(shared.disk, target);
      return answer();
    case "truncated":
      return answer();
    case "odd-reply": {
      const { range: _, ...others } = context.wire.headers;
      return oddReply(
        await (fault.how === "whole" ? answer(undefined, others) : answer()),
        fault.how,
      );
    }
    default:
      return unreachable(fault);
  }
}

async function dropReply({ body }: Reply): Promise<void> {
  if (body?.kind === "lease") await body.lease[Symbol.asyncDispose]();
}

const CODE_BY_STATUS: Readonly<Record<number, string>> = {
  403: "AccessDenied",
  404: "NoSuchKey",
  429: "TooManyRequests",
  500: "InternalError",
  503: "SlowDown",
  507: "InsufficientStorage",
};

async function expire(disk: Disk, target: Target): Promise<void> {
  const uploadId = target.query.get("uploadId");
  if (uploadId === undefined || !disk.has(target.bucket)) return;
  const bucket = disk.bucket(target.bucket);
  await bucket.change(() => bucket.uploads.drop(uploadId));
}

/** Does what was asked; failures become replies, unless the connection is what failed. */
async function work(
  request: IncomingMessage,
  target: Target | Refusal,
  { wire, shared, headers }: Context & { headers: IncomingHttpHeaders },
  body: AsyncIterable<Buffer>,
): Promise<Reply> {
  const { disk, clock, limits, keys, log } = shared;
  try {
    if (target instanceof Refusal) throw target;
    const payloadHash = verifySignature(request, target, keys, clock.now());
    return await dispatch({ target, headers, body, payloadHash, disk, clock, limits });
  } catch (error) {
    if (wire.broken) throw error;
    if (error instanceof Refusal)
      return errorReply({
        status: error.status,
        code: error.s3Code,
        message: error.message,
        headers: error.headers,
      });
    log.error({ err: error }, `A request failed inside the server: ${describe(error)}`);
    return errorReply({ status: 500, code: "InternalError", message: describe(error) });
  }
}

function targetOrRefusal(request: IncomingMessage): Target | Refusal {
  try {
    return targetOf(request);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
