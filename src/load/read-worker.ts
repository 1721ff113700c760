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
import type { ReadOrder, ReadReport, ReadThreadOptions } from "./read-messages.ts";
import type { DirectReply, ReadRequest } from "./reader.ts";

const port = parentPort;
invariant(port !== null, "this file runs in a worker thread");

// What our own other half has posted.
const { store: storeOptions, memory } = workerData as ReadThreadOptions;
const clock = systemClock;
const log = threadLog("read", report);
const background = new Background(log);
const store = withRetry(createS3Store(storeOptions, { clock, log }), { clock, log });
const blocks = new Blocks({ store, clock, memory });
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
