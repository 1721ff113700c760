// Sends as the product's sender does, in this thread: a scenario must cost milliseconds, and end at once.

import { readFile } from "node:fs/promises";
import { errnoOf, KodomountError, Semaphore } from "../../../src/base/mod.ts";
import { toSha256 } from "../../../src/model/mod.ts";
import type { Sending } from "../../../src/send/mod.ts";
import type { ObjectStore } from "../../../src/store/mod.ts";
import { sha256 } from "./content.ts";

/** @param store with retries. @param lanes parts under way at once. */
export function createSender(
  store: ObjectStore,
  lanes: number,
): Sending & { stop(): Promise<void> } {
  const slots = new Semaphore(lanes);
  const stopped = new AbortController();
  const signalOf = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
  return {
    async hash({ path, size }) {
      const bytes = await orCorrupt(readFile(path));
      if (bytes.length < size)
        throw new KodomountError("Corrupt", `The spill file ${path} is shorter than ${size} bytes`);
      return toSha256(sha256(bytes.subarray(0, size)));
    },
    async uploadPart(request, priority, signal, record) {
      using _ = await slots.acquire(priority, signalOf(signal));
      const { key, uploadId, partNumber, path, size, sha256: digest } = request;
      const body = { kind: "file", path, size } as const;
      const part = { key, uploadId, partNumber, body, sha256: digest };
      const { etag, isRepeated = false } = await orCorrupt(
        store.uploadPart(part, signalOf(signal)),
      );
      await record?.(etag);
      return { etag, isRepeated };
    },
    async put(request, priority, signal) {
      using _ = await slots.acquire(priority, signalOf(signal));
      const { key, path, size, bytes, sha256: digest, metadata } = request;
      const body =
        path === undefined
          ? ({ kind: "bytes", bytes: bytes ?? new Uint8Array(0) } as const)
          : ({ kind: "file", path, size } as const);
      return await orCorrupt(store.put({ key, body, sha256: digest, metadata }, signalOf(signal)));
    },
    progress: () => ({ inFlight: 0, bytesAcknowledged: 0 }),
    async stop() {
      stopped.abort();
    },
  };
}

async function orCorrupt<T>(task: Promise<T>): Promise<T> {
  try {
    return await task;
  } catch (error) {
    if (errnoOf(error) === "ENOENT")
      throw new KodomountError("Corrupt", "A spill file is gone", { cause: error });
    throw error;
  }
}
