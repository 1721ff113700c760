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
import { createS3Store, withRetry } from "../store/mod.ts";
import { Blocks } from "./blocks.ts";
import { CachedReads } from "./cached-reads.ts";
import { DiskCache } from "./disk-cache.ts";
import type { ReadOrder, ReadReport, ReadThreadOptions } from "./read-messages.ts";
import type { DirectReply, ReadRequest } from "./reader.ts";

const port = parentPort;
invariant(port !== null, "this file runs in a worker thread");

// What our own other half has posted.
const { store: storeOptions, memory, cache } = workerData as ReadThreadOptions;
const source = [storeOptions.endpoint, storeOptions.bucket, storeOptions.prefix].join("\0");
const clock = systemClock;
const log = threadLog("read", report);
const background = new Background(log);
const remote = withRetry(createS3Store(storeOptions, { clock, log }), { clock, log });
const cached = cache && new CachedReads(remote, new DiskCache({ ...cache, source, clock, log }));
const blocks = new Blocks({ store: cached ?? remote, clock, memory });
const running = new Map<number, AbortController>();

port.on("message", (order: ReadOrder) => {
  if ("forget" in order) blocks.forget(order.forget);
  else if ("abort" in order) running.get(order.id)?.abort();
  else background.run("A read", () => perform(order.id, order.request, order.direct));
});

async function perform(
  id: number,
  request: ReadRequest,
  direct: DirectReply | undefined,
): Promise<void> {
  const abort = new AbortController();
  running.set(id, abort);
  try {
    report({ id, value: await blocks.read(request, abort.signal, direct) });
  } catch (error) {
    report({ id, ...explain(error) });
  } finally {
    running.delete(id);
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
