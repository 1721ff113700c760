// Sends the SDK's signed requests over node:http. The SDK's own handler opens a connection a part, has no limit on
// progress and buffers file bodies (docs/notes/s3.md); this one streams a file in pieces, keeps connections and notices
// when nothing moves.

import fs from "node:fs";
import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { type Clock, KodomountError } from "../base/mod.ts";

/** A connection that is not made by then will not be made. */
const CONNECT_MS = 5000;
/** No byte in either direction for this long ends the attempt; a slow one that moves goes on. */
const NO_PROGRESS_MS = 10_000;
/** How often progress is looked at. */
const LOOK_MS = 1000;
/** Pieces of a file body: 512 KiB cost least CPU, also over TLS. */
const PIECE_SIZE = 512 * 1024;

/** The first `size` bytes of a file, read while they are sent. A plain object, which the SDK passes through untouched. */
export class FileBody {
  readonly path: string;
  readonly size: number;

  constructor(path: string, size: number) {
    this.path = path;
    this.size = size;
  }
}

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

export class HttpHandler {
  readonly #clock: Clock;
  readonly #http: http.Agent;
  readonly #https: https.Agent;

  /** @param connections at most, kept alive between requests. */
  constructor(clock: Clock, connections: number) {
    this.#clock = clock;
    const options = { keepAlive: true, maxSockets: connections, scheduling: "fifo" as const };
    this.#http = new http.Agent(options);
    this.#https = new https.Agent(options);
  }

  /** Resolves with the head of the reply; its body is read by the caller, under the same limit on progress. */
  send(request: SignedRequest, signal: AbortSignal | undefined): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(interrupted());
      const outgoing = this.#open(request);
      const watch = new Watch(this.#clock, outgoing);
      const onAbort = (): void => void outgoing.destroy(interrupted());
      signal?.addEventListener("abort", onAbort, { once: true });
      const ended = (): void => {
        watch.stop();
        signal?.removeEventListener("abort", onAbort);
      };
      outgoing.once("error", (error) => {
        ended();
        reject(error);
      });
      outgoing.once("response", (reply) => {
        watch.reply(reply);
        reply.once("close", ended);
        resolve({ statusCode: reply.statusCode ?? 0, headers: flat(reply.headers), body: reply });
      });
      writeBody(outgoing, request.body).catch((error: unknown) =>
        outgoing.destroy(error instanceof Error ? error : undefined),
      );
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #open(request: SignedRequest): ClientRequest {
    const secure = request.protocol === "https:";
    const options = {
      method: request.method,
      hostname: request.hostname,
      port: request.port,
      path: request.path + queryOf(request.query),
      headers: request.headers,
      agent: secure ? this.#https : this.#http,
    };
    return secure ? https.request(options) : http.request(options);
  }
}

/** Ends a request that does not move. */
class Watch {
  readonly #clock: Clock;
  readonly #request: ClientRequest;
  #socket: Socket | undefined;
  #connected = false;
  #moved = -1;
  #since: number;
  #cancel: () => void;

  constructor(clock: Clock, request: ClientRequest) {
    this.#clock = clock;
    this.#request = request;
    this.#since = clock.monotonic();
    this.#cancel = clock.after(LOOK_MS, () => this.#look());
    request.once("socket", (socket) => {
      this.#socket = socket;
      this.#since = clock.monotonic();
      if (!socket.connecting) this.#connected = true;
      else socket.once("connect", () => this.#connect());
    });
  }

  reply(reply: IncomingMessage): void {
    this.#moved = -1;
    reply.on("error", () => this.stop()); // who reads the body gets the error
  }

  stop(): void {
    this.#cancel();
  }

  #connect(): void {
    this.#connected = true;
    this.#since = this.#clock.monotonic();
  }

  #look(): void {
    this.#cancel = this.#clock.after(LOOK_MS, () => this.#look());
    const now = this.#clock.monotonic();
    const socket = this.#socket;
    if (socket === undefined) {
      this.#since = now; // waits for a connection of the pool: somebody else's progress
      return;
    }
    const moved = socket.bytesRead + socket.bytesWritten - socket.writableLength;
    if (moved !== this.#moved) {
      this.#moved = moved;
      this.#since = now;
    }
    const limit = this.#connected ? NO_PROGRESS_MS : CONNECT_MS;
    if (now - this.#since < limit) return;
    const what = this.#connected ? "no byte has moved" : "no connection was made";
    this.#request.destroy(new KodomountError("TimedOut", `${what} for ${limit / 1000} s`));
  }
}

async function writeBody(request: ClientRequest, body: unknown): Promise<void> {
  if (body instanceof FileBody) return writeFile(request, body);
  if (body === undefined || body === null) request.end();
  else if (typeof body === "string" || body instanceof Uint8Array) request.end(body);
  else throw new KodomountError("Programmer", "A body is bytes or a file");
}

/** Piece by piece, each after the one before was taken: two buffers are enough to keep the socket busy. */
async function writeFile(request: ClientRequest, body: FileBody): Promise<void> {
  const file = await fs.promises.open(body.path, "r");
  const buffers = [takeBuffer(), takeBuffer()];
  let written: Promise<void> = Promise.resolve();
  try {
    for (let at = 0, turn = 0; at < body.size; turn += 1) {
      const buffer = buffers[turn % 2] ?? takeBuffer();
      const length = Math.min(PIECE_SIZE, body.size - at);
      const { bytesRead } = await file.read(buffer, 0, length, at);
      if (bytesRead === 0)
        throw new KodomountError(
          "Corrupt",
          `The spill file ${body.path} is shorter than what was sealed`,
        );
      await written;
      written = write(request, buffer.subarray(0, bytesRead));
      // Awaited at the next turn; until then nobody else may see it fail.
      written.catch(() => undefined);
      at += bytesRead;
    }
    await written;
    request.end();
    for (const buffer of buffers) giveBuffer(buffer);
  } finally {
    await file.close();
  }
}

function write(request: ClientRequest, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (request.destroyed)
      return reject(new KodomountError("Unreachable", "The connection is gone"));
    request.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** Fresh buffers cost more CPU than the copy into them (page faults). Not given back after a failure: still in use then. */
const pool: Buffer[] = [];
const POOL_MAX = 64;

function takeBuffer(): Buffer {
  return pool.pop() ?? Buffer.allocUnsafeSlow(PIECE_SIZE);
}

function giveBuffer(buffer: Buffer): void {
  if (pool.length < POOL_MAX) pool.push(buffer);
}

function queryOf(query: SignedRequest["query"]): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value])
      parts.push(one === null ? encode(name) : `${encode(name)}=${encode(one)}`);
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** As SigV4 wants it: RFC 3986, which encodeURIComponent misses by five characters. */
function encode(text: string): string {
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

function interrupted(): KodomountError {
  return new KodomountError("Interrupted", "The request was interrupted");
}
