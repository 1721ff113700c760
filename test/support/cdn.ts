// A CDN before a bucket of the embedded store: keeps what it has fetched once for ever, as one with a long time to live.

import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { Emulator } from "../../src/emulator/mod.ts";
import { toKey } from "../../src/model/mod.ts";
import { bucketStore } from "./bucket-store.ts";

export class Cdn implements AsyncDisposable {
  /** Headers and addresses of what was asked. */
  readonly requests: Pick<IncomingMessage, "url" | "headers">[] = [];
  /** It answers 503 to everything. */
  isDown = false;
  readonly #kept = new Map<string, Promise<{ bytes: Buffer; etag: string }>>();
  readonly #server: http.Server;
  readonly #store: ReturnType<typeof bucketStore>;

  private constructor(emulator: Emulator) {
    this.#store = bucketStore(emulator);
    this.#server = http.createServer((request, response) => {
      this.#answer(request, response).catch((error: Error) => response.destroy(error));
    });
  }

  static async start(emulator: Emulator): Promise<Cdn> {
    const cdn = new Cdn(emulator);
    cdn.#server.listen(0, "127.0.0.1");
    await once(cdn.#server, "listening");
    return cdn;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#store.close();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer({ url = "/", headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push({ url, headers });
    if (this.isDown) return void response.writeHead(503).end("busy");
    const key = decodeURIComponent(new URL(url, this.url).pathname.slice(1));
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      kept = this.#store.get({ key: toKey(key) });
      this.#kept.set(key, kept);
    }
    const { bytes, etag } = await kept;
    const [, first = 0, last = 0] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
    const piece = bytes.subarray(Number(first), Number(last) + 1);
    response.writeHead(206, {
      etag,
      "content-length": piece.length,
      "content-range": `bytes ${first}-${Number(first) + piece.length - 1}/${bytes.length}`,
    });
    response.end(piece);
  }
}
