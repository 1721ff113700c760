// Sends the SDK's signed requests over node:http. The SDK's own handler opens a connection for each large part, has no
// limit on progress and reads whole bodies into memory; this one streams files, keeps connections, and notices when
// nothing moves.

import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import { type Background, type Clock, errnoOf, KodomountError, toError } from "../base/mod.ts";
import { type Congestion, chooseCongestion } from "./congestion.ts";
import { FileBody, type Sending, writeBody } from "./file-body.ts";
import { ProgressWatch } from "./progress-watch.ts";
import { ReplyTimes } from "./reply-times.ts";
import type { Traffic } from "./traffic.ts";

/** Below the usual minute of servers: a connection that the server is about to close is not used again. */
const IDLE_MS = 30_000;
/** Node gives an address 250 ms before it tries the next, and then gives it up: too little for a slow link. */
const NEXT_ADDRESS_MS = 2000;

/** What the SDK hands over: the part of its HttpRequest that is used here. */
export interface SignedRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Record<string, string | string[] | null> | undefined;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

export interface Reply {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Readable;
}

export interface SendOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long the store may work after it has the whole request. */
  readonly replyMs?: number | undefined;
}

export interface HandlerOptions {
  readonly clock: Clock;
  readonly background: Background;
  /** At most, kept between requests. */
  readonly connections: number;
  readonly congestion: Congestion;
  /** Is told of every connection. */
  readonly traffic: Traffic;
}

export class HttpHandler {
  readonly #options: HandlerOptions;
  /** Of requests whose body is a file. */
  readonly #replies = new ReplyTimes();
  readonly #http: http.Agent;
  readonly #https: https.Agent;
  readonly #running = new Set<Exchange>();
  #closed = false;

  constructor(given: HandlerOptions) {
    this.#options = given;
    const options = {
      keepAlive: true,
      maxSockets: given.connections,
      scheduling: "lifo" as const,
      timeout: IDLE_MS,
      autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
    };
    this.#http = new http.Agent(options);
    this.#https = new https.Agent(options);
  }

  /** Resolves with the head of the reply; its body is read by the caller, under the same limit on progress. */
  async send(request: SignedRequest, options: SendOptions = {}): Promise<Reply> {
    if (this.#closed || options.signal?.aborted) throw interrupted();
    const exchange = new Exchange(this.#open(request), {
      ...this.#options,
      ...options,
      replies: request.body instanceof FileBody ? this.#replies : undefined,
    });
    this.#running.add(exchange);
    exchange.onEnd(() => this.#running.delete(exchange));
    try {
      return await exchange.run(request);
    } catch (error) {
      // What has broken one connection has most likely broken those that are idle, and each would cost its own time limit.
      if (!options.signal?.aborted) this.#dropIdle();
      if (request.body instanceof FileBody && isReset(error)) this.#options.traffic.lose();
      throw error;
    }
  }

  /** Ends all connections; requests under way reject with `Interrupted`. */
  close(): void {
    this.#closed = true;
    for (const exchange of this.#running) exchange.fail(interrupted());
    this.#http.destroy();
    this.#https.destroy();
  }

  #open(request: SignedRequest): ClientRequest {
    const secure = request.protocol === "https:";
    const options = {
      method: request.method,
      hostname: request.hostname.replace(/^\[|\]$/g, ""),
      port: request.port,
      path: request.path + queryOf(request.query),
      headers: request.headers,
      agent: secure ? this.#https : this.#http,
    };
    const sent = secure ? https.request(options) : http.request(options);
    const { traffic, congestion } = this.#options;
    sent.once("socket", (socket) =>
      traffic.add(socket, (tripMs) => chooseCongestion(socket, congestion, tripMs)),
    );
    return sent;
  }

  #dropIdle(): void {
    for (const agent of [this.#http, this.#https])
      for (const sockets of Object.values(agent.freeSockets))
        for (const socket of sockets ?? []) socket.destroy();
  }
}

/** One request and its reply. */
class Exchange {
  readonly #request: ClientRequest;
  readonly #sending: Sending = { unwanted: false, handedOver: false };
  #reply: IncomingMessage | undefined;
  /** Of `run`, as long as it waits; a request that waits for a connection does not hear of its end before it gets one. */
  #reject: (error: Error) => void = () => {};
  readonly #endTasks: (() => void)[] = [];

  constructor(
    request: ClientRequest,
    options: HandlerOptions & SendOptions & { readonly replies: ReplyTimes | undefined },
  ) {
    this.#request = request;
    const { signal, traffic } = options;
    const watch = new ProgressWatch(request, {
      ...options,
      queues: traffic.queues,
      onStuck: (error) => this.fail(error),
    });
    const onAbort = (): void => this.fail(interrupted());
    signal?.addEventListener("abort", onAbort, { once: true });
    this.onEnd(() => {
      watch.stop();
      signal?.removeEventListener("abort", onAbort);
    });
  }

  /** Calls `task` when nothing more can happen: the reply was read, or either failed. */
  onEnd(task: () => void): void {
    this.#endTasks.push(task);
  }

  run(signed: SignedRequest): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = this.#request;
      this.#reject = reject;
      request.once("close", () => this.#end());
      // Stays for good: a broken connection may report more than once, after the promise is settled.
      request.on("error", reject);
      request.once("response", (reply) => {
        const problem = this.#answered(reply);
        if (problem !== undefined) this.fail(problem);
        else resolve(toReply(signed.method, reply));
      });
      // Not before: what is written to a request that gets no connection is never called back.
      request.once("socket", () => this.#write(signed.body));
    });
  }

  /** Gives up the connection: `run`, or who reads the reply, gets `error`. */
  fail(error: Error): void {
    this.#reject(error);
    this.#reply?.destroy(error);
    this.#request.destroy(error);
    this.#end();
  }

  #write(body: unknown): void {
    writeBody(this.#request, body, this.#sending).catch((error: unknown) => {
      // A refusal that came before the end of the body says more than the connection that broke then.
      if (!this.#sending.unwanted) this.fail(toError(error));
    });
  }

  #end(): void {
    for (const task of this.#endTasks.splice(0)) task();
  }

  #answered(reply: IncomingMessage): KodomountError | undefined {
    this.#reply = reply;
    reply.on("error", () => {}); // it is for the reader of the body; without one it would end the process
    if (this.#sending.handedOver) return undefined;
    if ((reply.statusCode ?? 0) < 300)
      return new KodomountError("Unavailable", "it was answered before the body was sent");
    // Refused early. What was left to send is not sent, so the connection is of no more use after the reply.
    this.#sending.unwanted = true;
    reply.once("close", () => this.#request.destroy());
    return undefined;
  }
}

function toReply(method: string, reply: IncomingMessage): Reply {
  const headers = flat(reply.headers);
  const statusCode = reply.statusCode ?? 0;
  if (method !== "HEAD" && statusCode !== 204) return { statusCode, headers, body: reply };
  // The SDK does not read what cannot have a body; the connection is free only when somebody has.
  reply.resume();
  return { statusCode, headers, body: Readable.from([]) };
}

function queryOf(query: SignedRequest["query"]): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value])
      parts.push(one === null ? encodeUri(name) : `${encodeUri(name)}=${encodeUri(one)}`);
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** As SigV4 wants it: RFC 3986, which encodeURIComponent misses by five characters. */
export function encodeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function flat(headers: IncomingMessage["headers"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
}

/** The connection was there, and was ended by the peer or by somebody on the way. */
function isReset(error: unknown): boolean {
  return /^(ECONNRESET|EPIPE)$/.test(errnoOf(error) ?? "");
}

function interrupted(): KodomountError {
  return new KodomountError("Interrupted", "The request was interrupted");
}
