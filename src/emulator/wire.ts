// The connection of one request: the body as it comes in, the reply as it goes out, and the faults that happen to both.

import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { KodomountError } from "../base/mod.ts";
import type { Fault } from "./faults.ts";
import type { Reply } from "./reply.ts";
import type { OpenEntry } from "./request-log.ts";

export class Wire {
  readonly #request: IncomingMessage;
  /** Kept by name: a request that fails may lose it. */
  readonly #socket: Socket;
  readonly #response: ServerResponse;
  readonly #entry: OpenEntry;
  readonly #fault: Fault | undefined;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    entry: OpenEntry,
    fault: Fault | undefined,
  ) {
    this.#request = request;
    this.#socket = request.socket;
    this.#response = response;
    this.#entry = entry;
    this.#fault = fault;
  }

  get headers(): IncomingHttpHeaders {
    return this.#request.headers;
  }

  /** The client has gone, or we have hung up. */
  get broken(): boolean {
    return this.#response.destroyed || this.#socket.destroyed;
  }

  /** The body. @throws when the client goes away, or a fault hits within it. */
  async *body(): AsyncGenerator<Buffer> {
    const limit = this.#entry.kind === "GetObject" ? undefined : this.#limit();
    for await (const piece of this.#request as AsyncIterable<Buffer>) {
      this.#entry.bytesIn += piece.length;
      if (limit !== undefined && this.#entry.bytesIn > limit) await this.#hit();
      yield piece;
    }
    if (limit !== undefined) await this.#hit();
  }

  /** Takes the body in and throws it away. */
  async drain(): Promise<void> {
    for await (const piece of this.#request as AsyncIterable<Buffer>)
      this.#entry.bytesIn += piece.length;
  }

  /** Sends a reply. A lease in it has ended when this resolves. */
  async send(reply: Reply): Promise<void> {
    const { status, headers = {}, body } = reply;
    this.#entry.status = status;
    if (body === undefined || this.#request.method === "HEAD") {
      this.#response.writeHead(status, headers).end();
      if (body?.kind === "lease") await body.lease[Symbol.asyncDispose]();
      return;
    }
    if (body.kind === "text") {
      const bytes = Buffer.from(body.text);
      const type = { "Content-Type": body.type, "Content-Length": String(bytes.length) };
      this.#entry.bytesOut = bytes.length;
      this.#response.writeHead(status, { ...headers, ...type }).end(bytes);
      return;
    }
    await using lease = body.lease;
    this.#response.writeHead(status, headers);
    await this.#stream(lease.read());
    this.#response.end();
  }

  /** Hangs up with a reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Does nothing until the client gives up. @throws always. */
  async stall(): Promise<never> {
    if (!this.#socket.destroyed) await once(this.#socket, "close");
    throw gone();
  }

  async #stream(pieces: AsyncIterable<Buffer>): Promise<void> {
    const limit = this.#limit() ?? Number.POSITIVE_INFINITY;
    for await (const piece of pieces) {
      const part = piece.subarray(0, limit - this.#entry.bytesOut);
      await this.#write(part);
      this.#entry.bytesOut += part.length;
      if (part.length < piece.length) await this.#hit();
    }
    if (limit !== Number.POSITIVE_INFINITY) await this.#hit();
  }

  #write(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.broken) return reject(gone());
      const onClose = (): void => reject(gone());
      this.#response.once("close", onClose);
      this.#response.write(bytes, (error) => {
        this.#response.off("close", onClose);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** After how many bytes of a body the fault hits. */
  #limit(): number | undefined {
    const fault = this.#fault;
    return fault?.kind === "reset" || fault?.kind === "stall" || fault?.kind === "truncated"
      ? fault.afterBytes
      : undefined;
  }

  async #hit(): Promise<never> {
    if (this.#fault?.kind === "truncated") this.#socket.end();
    if (this.#fault?.kind !== "reset") return this.stall();
    this.reset();
    throw gone();
  }
}

function gone(): KodomountError {
  return new KodomountError("Unreachable", "The connection is gone");
}
