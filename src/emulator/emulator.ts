// An S3 server on loopback that behaves as Kodo does where the two differ, for tests and for the demo; and that fails as
// it is told to. It must not share code with the client it tests.

import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { Background, type Clock, invariant, KodomountError, type Log } from "../base/mod.ts";
import type { Limits } from "./call.ts";
import { CONTROL_PREFIX, control } from "./control.ts";
import { Disk } from "./disk.ts";
import { type Shared, serve } from "./exchange.ts";
import { Faults, type Order, type OrderRequest } from "./faults.ts";
import { openEntry, type RequestEntry, RequestLog } from "./request-log.ts";
import { NOWHERE } from "./target.ts";
import { type ObjectView, type UploadView, viewObjects, viewUploads } from "./view.ts";
import { Wire } from "./wire.ts";

export interface EmulatorOptions {
  /** Where everything is kept, also over a restart; made when absent. For one server at a time. */
  readonly dir: string;
  /** 0 or absent: one that is free. */
  readonly port?: number;
  /** The address that it listens on; loopback when absent. */
  readonly host?: string;
  /** Made when absent. */
  readonly buckets: readonly string[];
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** After this long an unfinished upload is gone; 7 days when absent, as at Kodo. */
  readonly uploadLifeMs?: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Before each answer; 0 when absent. */
  readonly latencyMs?: number;
  /** Other than Kodo's: small ones make tests cheap. */
  readonly limits?: Partial<Limits>;
}

export interface Emulator extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly port: number;
  /** Orders a fault. The oldest order that matches a request is used up first. */
  order(request: OrderRequest): Order;
  orders(): Order[];
  /** What was asked since the start, in order of arrival. */
  requests(): RequestEntry[];
  /** Unfinished uploads. */
  uploads(): Promise<UploadView[]>;
  objects(bucket: string): ObjectView[];
  /** The bytes of an object, as of now. @throws `NotFound`. */
  read(bucket: string, key: string): Readable;
  /** Breaks all connections, and resolves when nothing runs any more. The directory stays. */
  stop(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const WEEK_MS = 7 * 24 * 60 * 60 * 1000;
const MIB = 1024 * 1024;
const KODO_LIMITS: Limits = {
  partSizeMin: MIB,
  partSizeMax: 1024 * MIB,
  copySizeMax: 1024 * MIB,
  pageSizeMax: 1000,
  // Minutes at Kodo, hours of deep archives: who tries things does not wait that long.
  restoreMs: 5000,
};

/** Starts a server. @throws when the port is taken, or the directory cannot be used. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { dir, buckets, clock, log, latencyMs = 0, uploadLifeMs = WEEK_MS } = options;
  const { accessKeyId, secretAccessKey, region } = options;
  const disk = await Disk.open(dir, uploadLifeMs);
  for (const name of buckets) if (!disk.has(name)) await disk.create(name);
  const server = new EmulatorServer({
    disk,
    keys: { accessKeyId, secretAccessKey, region },
    limits: { ...KODO_LIMITS, ...options.limits },
    faults: new Faults(),
    requests: new RequestLog(),
    clock,
    log,
    latencyMs,
  });
  await server.listen(options.port ?? 0, options.host ?? LOOPBACK);
  return server;
}

class EmulatorServer implements Emulator {
  readonly #shared: Shared;
  readonly #server: http.Server;
  readonly #background: Background;
  #port = 0;
  #host = LOOPBACK;

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#background = new Background(shared.log);
    this.#server = http.createServer(
      {
        // A slow link may take hours over a body, and an idle client is not to be hurried.
        requestTimeout: 0,
        keepAliveTimeout: 300_000,
        highWaterMark: 256 * 1024,
      },
      (request, response) => this.#background.run("request", () => this.#take(request, response)),
    );
  }

  /** Stays what it was after `stop`. */
  get port(): number {
    return this.#port;
  }

  get endpoint(): string {
    return `http://${this.#host}:${this.port}`;
  }

  async listen(port: number, host: string): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, "listening");
    const address = this.#server.address();
    invariant(typeof address === "object" && address !== null, "a TCP server has a port");
    this.#port = address.port;
    this.#host = host;
  }

  order(request: OrderRequest): Order {
    return this.#shared.faults.order(request);
  }

  orders(): Order[] {
    return this.#shared.faults.list();
  }

  requests(): RequestEntry[] {
    return this.#shared.requests.list();
  }

  uploads(): Promise<UploadView[]> {
    return viewUploads(this.#shared.disk.buckets, this.#shared.clock.now());
  }

  objects(bucket: string): ObjectView[] {
    return viewObjects(this.#shared.disk.bucket(bucket));
  }

  read(bucket: string, key: string): Readable {
    const { disk } = this.#shared;
    const record = disk.bucket(bucket).objects.find(key);
    if (record === undefined)
      throw new KodomountError("NotFound", `There is no object ${JSON.stringify(key)}`);
    const lease = disk.blobs.lease(record.slices, 0, record.size);
    const readable = Readable.from(lease.read());
    readable.once("close", () =>
      this.#background.run("end of a read", async () => lease[Symbol.asyncDispose]()),
    );
    return readable;
  }

  async stop(): Promise<void> {
    if (this.#server.listening) {
      const closed = once(this.#server, "close");
      this.#server.close();
      this.#server.closeAllConnections();
      await closed;
    }
    await this.#background.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith(CONTROL_PREFIX) !== true)
      return serve(request, response, this.#shared);
    const reply = await control(request, {
      faults: this.#shared.faults,
      requests: () => this.requests(),
      uploads: () => this.uploads(),
    });
    // Not in the log of requests: the reader of that page would see himself.
    const unseen = openEntry(NOWHERE, this.#shared.clock.now(), undefined);
    await new Wire(request, response, unseen, undefined).send(reply);
  }
}
