// The thread that moves bytes: it reads spill files, hashes them and sends them. It decides nothing and keeps nothing.

import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import {
  codeOf,
  describe,
  errnoOf,
  invariant,
  KodomountError,
  type Log,
  Semaphore,
  step,
  systemClock,
} from "../base/mod.ts";
import { type Body, createS3Store, withRetry } from "../store/mod.ts";
import type { HashTask, Order, Report, Task, WorkerOptions } from "./messages.ts";

const port = parentPort;
invariant(port !== null, "this file runs in a worker thread");

const { store: storeOptions } = workerData as WorkerOptions;
const say = (report: Report): void => port.postMessage(report);
const logLine =
  (log: keyof Log) =>
  (fields: object, message: string): void =>
    // Errors in fields do not survive the way to the other thread; their text is in the message.
    say({ log, fields: JSON.parse(JSON.stringify(fields)) as object, message });
const log: Log = {
  debug: logLine("debug"),
  info: logLine("info"),
  warn: logLine("warn"),
  error: logLine("error"),
};
const clock = systemClock;
const store = withRetry(createS3Store(storeOptions, { clock, log }), { clock, log });
/** More would only make each slower. */
const hashing = new Semaphore(2);
const HASH_PIECE = 1024 * 1024;
const hashBuffers: Buffer[] = [];
const running = new Map<number, AbortController>();

port.on("message", (order: Order) => {
  if (order.task === "abort") running.get(order.id)?.abort();
  else void perform(order.id, order.task);
});

async function perform(id: number, task: Task): Promise<void> {
  const abort = new AbortController();
  running.set(id, abort);
  try {
    say({ id, value: await valueOf(task, abort.signal) });
  } catch (error) {
    const known = error instanceof KodomountError ? error : fileError(error);
    say({ id, code: codeOf(known), message: describe(known) });
  } finally {
    running.delete(id);
  }
}

async function valueOf(task: Task, signal: AbortSignal): Promise<string> {
  if (task.kind === "hash") return hash(task, signal);
  step("part.sending");
  const { etag } = await send(task, signal);
  step("part.sent");
  return etag;
}

function send(task: Exclude<Task, HashTask>, signal: AbortSignal): Promise<{ etag: string }> {
  const { key, path, size, sha256 } = task;
  const body: Body =
    path === undefined ? { kind: "bytes", bytes: new Uint8Array(0) } : { kind: "file", path, size };
  if (task.kind === "put") return store.put({ key, body, sha256, metadata: task.metadata }, signal);
  return store.uploadPart(
    { key, uploadId: task.uploadId, partNumber: task.partNumber, body, sha256 },
    signal,
  );
}

/** SHA-256 of the first `size` bytes, in slices between which what is being sent goes on. */
async function hash(task: HashTask, signal: AbortSignal): Promise<string> {
  using _ = await hashing.acquire(0, signal);
  const sum = createHash("sha256");
  const buffer = hashBuffers.pop() ?? Buffer.allocUnsafeSlow(HASH_PIECE);
  const file = await open(task.path, "r");
  try {
    for (let at = 0; at < task.size; ) {
      if (signal.aborted)
        throw new KodomountError("Interrupted", "The part is not needed any more");
      const { bytesRead } = await file.read(buffer, 0, Math.min(HASH_PIECE, task.size - at), at);
      if (bytesRead === 0)
        throw new KodomountError(
          "Corrupt",
          `The spill file ${task.path} is shorter than what was written`,
        );
      sum.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  } finally {
    await file.close();
    hashBuffers.push(buffer);
  }
  return sum.digest("hex");
}

function fileError(error: unknown): KodomountError {
  const missing = errnoOf(error) === "ENOENT";
  return new KodomountError(
    missing ? "Corrupt" : "Io",
    missing ? "A spill file is gone" : describe(error),
    { cause: error },
  );
}
