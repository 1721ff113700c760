// An HTTP proxy between the product and a store: counts what is asked and how many bytes of bodies move, can be as slow as
// a weak link, and can be a dead network. It passes requests on as they are, with their Host header, which is signed.

import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { Background, type Clock, silentLog, systemClock } from "../../src/base/mod.ts";
import { type OperationKind, targetOf } from "../../src/emulator/mod.ts";

export interface Counts {
  /** Requests that arrived, by kind. */
  readonly requests: Readonly<Partial<Record<OperationKind, number>>>;
  /** Bytes of bodies from the client; also of requests that failed. */
  readonly bytesUp: number;
  /** Bytes of bodies to the client. */
  readonly bytesDown: number;
}

export interface CountingProxy extends AsyncDisposable {
  readonly endpoint: string;
  counts(): Counts;
  /** Counts from 0 again. */
  reset(): void;
  /** Bytes a second for all bodies together, in each direction; undefined: as fast as it goes. */
  pace(bytesPerSecond: number | undefined): void;
  /** Resets all connections, and refuses new ones. */
  down(): Promise<void>;
  /** Accepts again, on the same port. */
  up(): Promise<void>;
}

/** Starts a proxy on loopback in front of `target`, an endpoint with scheme `http`. */
export async function startCountingProxy(
  target: string,
  clock: Clock = systemClock,
): Promise<CountingProxy> {
  const proxy = new Proxy(new URL(target), clock);
  await proxy.up();
  return proxy;
}

class Proxy implements CountingProxy {
  readonly #target: URL;
  readonly #agent = new http.Agent({ keepAlive: true });
  readonly #background = new Background(silentLog);
  readonly #pacers: { up: Pacer; down: Pacer };
  #server: http.Server | undefined;
  #port = 0;
  #requests: Partial<Record<OperationKind, number>> = {};
  #bytesUp = 0;
  #bytesDown = 0;

  constructor(target: URL, clock: Clock) {
    this.#target = target;
    this.#pacers = { up: new Pacer(clock), down: new Pacer(clock) };
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  counts(): Counts {
    return { requests: { ...this.#requests }, bytesUp: this.#bytesUp, bytesDown: this.#bytesDown };
  }

  reset(): void {
    this.#requests = {};
    this.#bytesUp = 0;
    this.#bytesDown = 0;
  }

  pace(bytesPerSecond: number | undefined): void {
    this.#pacers.up.bytesPerSecond = bytesPerSecond;
    this.#pacers.down.bytesPerSecond = bytesPerSecond;
  }

  async up(): Promise<void> {
    if (this.#server !== undefined) return;
    const options = { requestTimeout: 0, keepAliveTimeout: 300_000 };
    const server = http.createServer(options, (request, response) =>
      this.#background.run("request", () => this.#pass(request, response)),
    );
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
    this.#server = server;
  }

  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    this.#agent.destroy();
    await this.#background.settled();
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // By name: a request that fails may lose it.
    const { socket } = request;
    const { kind } = targetOf(request);
    this.#requests[kind] = (this.#requests[kind] ?? 0) + 1;
    const { hostname, port } = this.#target;
    const upstream = http.request({
      ...{ hostname, port, agent: this.#agent, method: request.method, path: request.url },
      headers: request.rawHeaders,
      setHost: false,
    });
    const reply = replyOf(upstream);
    // Once it has been answered, nobody else tells a request that its client has gone.
    const onClose = (): void => void request.destroy(new Error("The client has hung up"));
    socket.once("close", onClose);
    try {
      await Promise.all([this.#sendUp(request, upstream, reply), this.#sendDown(reply, response)]);
    } catch {
      // Either side has gone: the other one shall see that, and that is all a proxy can tell it.
      upstream.destroy();
      socket.destroy();
    } finally {
      socket.off("close", onClose);
    }
  }

  /** The body of the request. A server may answer before it has all of it: the rest is taken in, and goes nowhere. */
  async #sendUp(
    request: IncomingMessage,
    upstream: http.ClientRequest,
    reply: Promise<IncomingMessage>,
  ): Promise<void> {
    let answered = false;
    const over = reply.then(ended).then(() => {
      answered = true;
    });
    // The other half of this request is told the same.
    over.catch(() => undefined);
    for await (const piece of request as AsyncIterable<Buffer>) {
      this.#bytesUp += piece.length;
      await this.#pacers.up.wait(piece.length);
      if (!answered && !upstream.write(piece)) await Promise.race([once(upstream, "drain"), over]);
    }
    if (answered) upstream.destroy();
    else upstream.end();
  }

  async #sendDown(coming: Promise<IncomingMessage>, response: ServerResponse): Promise<void> {
    const reply = await coming;
    response.sendDate = false;
    response.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
    const gone = once(response, "close");
    for await (const piece of reply as AsyncIterable<Buffer>) {
      this.#bytesDown += piece.length;
      await this.#pacers.down.wait(piece.length);
      if (!response.write(piece)) await Promise.race([once(response, "drain"), gone]);
    }
    response.end();
  }
}

/** The head of the reply; rejects when the connection ends without one. */
function replyOf(upstream: http.ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    upstream.once("response", resolve);
    upstream.once("close", () => reject(new Error("The server has hung up")));
    // On, not once: a connection that breaks may say so twice.
    upstream.on("error", reject);
  });
}

/** When all of a reply was read, or it broke off. */
function ended(reply: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    reply.once("end", resolve);
    reply.once("close", resolve);
  });
}

/** Lets bytes pass at a rate, over all who ask. */
class Pacer {
  bytesPerSecond: number | undefined;
  readonly #clock: Clock;
  /** When the link is free again. */
  #freeAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async wait(length: number): Promise<void> {
    if (this.bytesPerSecond === undefined) return;
    const now = this.#clock.monotonic();
    this.#freeAtMs = Math.max(now, this.#freeAtMs) + (length / this.bytesPerSecond) * 1000;
    await this.#clock.sleep(this.#freeAtMs - now);
  }
}
