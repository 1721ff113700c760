// Reads from another endpoint than the store's, as a CDN before it: as far as it has the version that is asked for. The
// store itself answers the rest, so that nobody who reads depends on it.

import { LRUCache } from "lru-cache";
import { type Clock, codeOf, describe, KodomountError, type Log } from "../base/mod.ts";
import type { ObjectStore } from "../store/mod.ts";
import { Health } from "./health.ts";

type Request = Parameters<ObjectStore["read"]>[0];

export interface EndpointReadsOptions {
  /** Without retries: what it does not give the store does. */
  readonly endpoint: Pick<ObjectStore, "read">;
  /** With retries. */
  readonly store: Pick<ObjectStore, "read">;
  readonly clock: Clock;
  readonly log: Log;
}

/** So long a version is not asked for there again that it did not have; a CDN may have an older one for hours. */
const AGAIN_MS = 60_000;
const REFUSED_MAX = 10_000;

export class EndpointReads implements Pick<ObjectStore, "read"> {
  readonly #options: EndpointReadsOptions;
  readonly #health: Health;
  readonly #refused = new LRUCache<string, true>({ max: REFUSED_MAX, ttl: AGAIN_MS });
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: EndpointReadsOptions) {
    this.#options = options;
    this.#health = new Health({
      ...options,
      failing: "The read endpoint does not answer, and the store itself is read",
      again: "The read endpoint answers again",
    });
  }

  /** As of the store. */
  async read(request: Request, sink: (piece: Buffer) => void, signal?: AbortSignal): Promise<void> {
    const { key, etag, range } = request;
    let received = 0;
    const take = (piece: Buffer): void => {
      received += piece.length;
      sink(piece);
    };
    if (!this.#health.isPaused && !this.#refused.has(`${key}\0${etag}`))
      try {
        await this.#options.endpoint.read(request, take, signal);
        return this.#health.works();
      } catch (error) {
        if (codeOf(error) === "Interrupted") throw error;
        this.#note(error, request, received);
      }
    if (received === range.length) return;
    // The version is the same, or the store refuses: never a mixture.
    const rest = { offset: range.offset + received, length: range.length - received };
    await this.#options.store.read({ ...request, range: rest }, sink, signal);
  }

  #note(error: unknown, { key, etag }: Request, received: number): void {
    const passes = error instanceof KodomountError && error.retryable;
    // One that was answered and broke off says nothing of the next.
    if (passes && received > 0) return;
    if (passes) return this.#health.failed(error);
    this.#refused.set(`${key}\0${etag}`, true);
    const { clock, log } = this.#options;
    const now = clock.monotonic();
    if (now - this.#toldAt < AGAIN_MS) return;
    this.#toldAt = now;
    log.warn(
      { key },
      `The read endpoint does not give what the bucket has, and the store itself is read: ${describe(error)}`,
    );
  }
}
