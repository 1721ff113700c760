// The thread that moves bytes: it reads spill files, hashes them and sends them. It decides nothing and keeps nothing.

import { parentPort, workerData } from "node:worker_threads";
import {
  Background,
  codeOf,
  describe,
  errnoOf,
  invariant,
  KodomountError,
  Semaphore,
  step,
  systemClock,
  threadLog,
} from "../base/mod.ts";
import type { Key } from "../model/mod.ts";
import { type Body, createS3Store, Traffic, withRetry } from "../store/mod.ts";
import { hashFile } from "./hash-file.ts";
import type { HashTask, Order, Report, Task, WorkerOptions } from "./messages.ts";

const port = parentPort;
invariant(port !== null, "this file runs in a worker thread");

// What our own other half has posted.
const { store: storeOptions } = workerData as WorkerOptions;
const log = threadLog("send", report);
const clock = systemClock;
const background = new Background(log);
/** Keys that the other half was told of: it need not hear of the end of each request. */
const troubled = new Set<Key>();
const troubles = {
  note(key: Key, error: string) {
    troubled.add(key);
    report({ key, trouble: error });
  },
  end(key: Key) {
    if (troubled.delete(key)) report({ key, trouble: undefined });
  },
};
const traffic = new Traffic(clock);
const store = withRetry(createS3Store(storeOptions, { clock, log, traffic }), {
  clock,
  log,
  troubles,
});
/** Hashing blocks the thread slice by slice: more at once would only make each slower, and sending with them. */
const hashing = new Semaphore(2);
const running = new Map<number, AbortController>();
/** Twice a second, while anything is under way: each look costs the kernel a walk over its table of connections. */
const LOOK_MS = 500;
let looking = false;

port.on("message", (order: Order) => {
  if (order.task === "abort") return running.get(order.id)?.abort();
  const { id, task } = order;
  background.run(`The ${task.kind} task`, () => perform(id, task));
});

async function perform(id: number, task: Task): Promise<void> {
  const abort = new AbortController();
  running.set(id, abort);
  look();
  try {
    report({ id, ...(await resultOf(task, abort.signal)) });
  } catch (error) {
    const known = error instanceof KodomountError ? error : fileError(error);
    report({ id, code: codeOf(known), message: describe(known) });
  } finally {
    running.delete(id);
  }
}

/** Tells the other half what was carried, as long as something is under way. */
function look(): void {
  if (looking || running.size === 0) return;
  looking = true;
  background.run("the look at what was carried", async () => {
    await clock.sleep(LOOK_MS);
    const bytes = await traffic.acknowledged();
    const { lost, tripMs, isLossTolerant } = traffic;
    report({ carried: { bytes, lost, tripMs, isLossTolerant } });
    looking = false;
    look();
  });
}

async function resultOf(
  task: Task,
  signal: AbortSignal,
): Promise<{ value: string; isRepeated?: boolean }> {
  if (task.kind === "hash") {
    using _ = await hashing.acquire(0, signal);
    return { value: await hashFile(task, signal) };
  }
  step("part.sending");
  const { etag, isRepeated = false } = await send(task, signal);
  step("part.sent");
  return { value: etag, isRepeated };
}

function send(
  task: Exclude<Task, HashTask>,
  signal: AbortSignal,
): Promise<{ etag: string; isRepeated?: boolean }> {
  const { key, sha256 } = task;
  const body = bodyOf(task);
  if (task.kind === "put") {
    const { metadata, storageClass } = task;
    return store.put({ key, body, sha256, metadata, storageClass }, signal);
  }
  const { uploadId, partNumber } = task;
  return store.uploadPart({ key, uploadId, partNumber, body, sha256 }, signal);
}

function bodyOf(task: Exclude<Task, HashTask>): Body {
  const { path, size } = task;
  if (path !== undefined) return { kind: "file", path, size };
  const bytes = task.kind === "put" ? task.bytes : undefined;
  return { kind: "bytes", bytes: bytes ?? new Uint8Array(0) };
}

function fileError(error: unknown): KodomountError {
  if (errnoOf(error) === "ENOENT")
    return new KodomountError("Corrupt", "A spill file is gone", { cause: error });
  return new KodomountError("Io", describe(error), { cause: error });
}

function report(message: Report): void {
  port?.postMessage(message);
}
