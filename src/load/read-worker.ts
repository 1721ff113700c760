// The thread that reads: it has the connections, the blocks and the decision what to fetch ahead, and writes the replies.
// What comes in makes garbage by the gigabyte, which would stop everything else on the main thread.

import { parentPort, workerData } from "node:worker_threads";
import {
  Background,
  codeOf,
  describe,
  errnoOf,
  invariant,
  KodomountError,
  systemClock,
  threadLog,
} from "../base/mod.ts";
import { createReadEndpoint, createS3Store, withRetry } from "../store/mod.ts";
import { Blocks, explain as explainRead } from "./blocks.ts";
import { CachedReads } from "./cached-reads.ts";
import { DiskCache } from "./disk-cache.ts";
import { EndpointReads } from "./endpoint-reads.ts";
import type { ReadAnswer, ReadOrder, ReadReport, ReadThreadOptions } from "./read-messages.ts";
import type { ReadRequest } from "./reader.ts";

const port = parentPort;
invariant(port !== null, "this file runs in a worker thread");

// What our own other half has posted.
const { store: storeOptions, memory, cache, readEndpoint } = workerData as ReadThreadOptions;
const source = [storeOptions.endpoint, storeOptions.bucket, storeOptions.prefix].join("\0");
const clock = systemClock;
const log = threadLog("read", report);
const background = new Background(log);
const store = withRetry(createS3Store(storeOptions, { clock, log }), { clock, log });
const remote = readEndpoint === undefined ? store : throughEndpoint(readEndpoint);
const cached = cache && new CachedReads(remote, new DiskCache({ ...cache, source, clock, log }));
const blocks = new Blocks({ store: cached ?? remote, clock, memory });
const running = new Map<number, AbortController>();

log.debug({}, "Ready to read");
port.on("message", (order: ReadOrder) => {
  if ("forget" in order) blocks.forget(order.forget);
  else if ("abort" in order) running.get(order.id)?.abort();
  else if ("keep" in order) answer(order.id, (signal) => keep(order.keep, signal));
  else answer(order.id, (signal) => blocks.read(order.request, signal, order.direct));
});

function throughEndpoint(url: string): EndpointReads {
  const endpoint = createReadEndpoint({ url, store: storeOptions }, { clock, log });
  return new EndpointReads({ endpoint, store, clock, log });
}

function answer(id: number, task: (signal: AbortSignal) => Promise<ReadAnswer>): void {
  background.run("A read", () => perform(id, task));
}

async function perform(
  id: number,
  task: (signal: AbortSignal) => Promise<ReadAnswer>,
): Promise<void> {
  const abort = new AbortController();
  running.set(id, abort);
  try {
    report({ id, value: await task(abort.signal) });
  } catch (error) {
    report({ id, ...explain(error) });
  } finally {
    running.delete(id);
  }
}

async function keep(
  { version, offset, length }: ReadRequest,
  signal: AbortSignal,
): Promise<number> {
  invariant(cached !== undefined, "there is a cache to keep it in");
  const { key, etag } = version;
  try {
    return await cached.keep({ key, etag, range: { offset, length } }, signal);
  } catch (error) {
    throw explainRead(error, version);
  }
}

/** The kernel takes no reply for a request that was ended by a signal just then: that is nobody's fault. */
function explain(error: unknown): { code: ReturnType<typeof codeOf>; message: string } {
  if (error instanceof KodomountError) return { code: codeOf(error), message: describe(error) };
  const code = errnoOf(error) === "ENOENT" ? "Interrupted" : "Io";
  return { code, message: describe(error) };
}

function report(message: ReadReport): void {
  port?.postMessage(message);
}
