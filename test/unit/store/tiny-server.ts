// A server on loopback whose every reply a test writes itself, and stores that ask it.

import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Clock, silentLog, systemClock } from "../../../src/base/mod.ts";
import { PROVIDERS, type ProviderProfile } from "../../../src/model/mod.ts";
import { createS3Store, type ObjectStore, type StoreOptions } from "../../../src/store/mod.ts";

/** `number` counts requests from 1. A promise that it returns is waited for. */
type Answer = (number: number, request: IncomingMessage, response: ServerResponse) => unknown;

export class TinyServer implements AsyncDisposable {
  readonly requests: IncomingMessage[] = [];
  readonly sockets = new Set<Socket>();
  readonly #server: http.Server;
  readonly #stores: ObjectStore[] = [];

  private constructor(server: http.Server) {
    this.#server = server;
  }

  /** `answer` gets every request. */
  static async start(answer: Answer): Promise<TinyServer> {
    const server = http.createServer();
    const tiny = new TinyServer(server);
    server.on("connection", (socket) => {
      tiny.sockets.add(socket);
      socket.on("error", () => {}); // resets are what many tests are about
    });
    server.on("request", (request, response) => {
      tiny.requests.push(request);
      request.on("error", () => {});
      // An answer that fails breaks the connection, which the test then sees.
      Promise.resolve(answer(tiny.requests.length, request, response)).catch((error: Error) =>
        response.destroy(error),
      );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return tiny;
  }

  get options(): StoreOptions {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return {
      endpoint: `http://127.0.0.1:${address.port}`,
      region: "test",
      bucket: "b",
      prefix: "p/",
      provider: PROVIDERS.kodo,
      credentials: { kind: "static", accessKeyId: "KEYID", secretAccessKey: "verysecret" },
      connections: 4,
    };
  }

  store(
    given: { clock?: Clock; provider?: ProviderProfile; connections?: number } = {},
  ): ObjectStore {
    const { clock = systemClock, ...options } = given;
    const store = createS3Store({ ...this.options, ...options }, { clock, log: silentLog });
    this.#stores.push(store);
    return store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#stores) store.close();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Reads the whole body. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** Takes the body and accepts it. */
export function accept(request: IncomingMessage, response: ServerResponse): void {
  request.resume().on("end", () => response.writeHead(200, { ETag: '"e"' }).end());
}

/** An error as S3 writes it. */
export function refuse(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { "content-type": "application/xml", "x-amz-request-id": "REQ" })
    .end(
      `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message><AWSAccessKeyId>KEYID</AWSAccessKeyId></Error>`,
    );
}
