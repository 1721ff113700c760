// Repeats what failed for a reason that passes: without end, or until a deadline. An outage of any length is waited out.

import { type Clock, describe, jitter, KodomountError, type Log } from "../base/mod.ts";
import type { ObjectStore } from "./object-store.ts";

export interface RetryOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Gives up after this long; undefined: never. */
  readonly deadlineMs?: number;
  /** In [0, 1): spreads the retries of many parts. */
  readonly random?: () => number;
}

const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 4000;
/** A failure that lasts is logged after this long, and then each time it has lasted twice as long. */
const LOG_AFTER_MS = 10_000;

/**
 * The same store, with retries. `complete` is the exception: when its reply is lost it may have had its effect, and asking
 * again says `NoSuchUpload`; the caller settles it by HEAD.
 */
export function withRetry(store: ObjectStore, options: RetryOptions): ObjectStore {
  const retry = <T>(
    what: string,
    signal: AbortSignal | undefined,
    task: () => Promise<T>,
  ): Promise<T> => retrying(what, task, options, signal);
  return {
    head: (key, signal) => retry("HEAD", signal, () => store.head(key, signal)),
    get: (request, signal) => retry("GET", signal, () => store.get(request, signal)),
    list: (request, signal) => retry("LIST", signal, () => store.list(request, signal)),
    put: (request, signal) => retry("PUT", signal, () => store.put(request, signal)),
    delete: (key, signal) => retry("DELETE", signal, () => store.delete(key, signal)),
    copy: (request, signal) => retry("COPY", signal, () => store.copy(request, signal)),
    createUpload: (request, signal) =>
      retry("CREATE UPLOAD", signal, () => store.createUpload(request, signal)),
    uploadPart: (request, signal) =>
      retry("PUT part", signal, () => store.uploadPart(request, signal)),
    copyPart: (request, signal) =>
      retry("COPY part", signal, () => store.copyPart(request, signal)),
    listParts: (request, signal) =>
      retry("LIST PARTS", signal, () => store.listParts(request, signal)),
    complete: (request, signal) => store.complete(request, signal),
    abort: (request, signal) => retry("ABORT", signal, () => store.abort(request, signal)),
    close: () => store.close(),
  };
}

/** Runs `task` until it succeeds or fails for good. @throws its last error; `Interrupted` when `signal` aborts. */
export async function retrying<T>(
  what: string,
  task: () => Promise<T>,
  options: RetryOptions,
  signal?: AbortSignal,
): Promise<T> {
  const { clock, log, deadlineMs, random = jitter } = options;
  const start = clock.monotonic();
  let logAt = LOG_AFTER_MS;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof KodomountError) || !error.retryable || signal?.aborted) throw error;
      const elapsed = clock.monotonic() - start;
      if (deadlineMs !== undefined && elapsed > deadlineMs) throw error;
      if (elapsed > logAt) {
        log.warn(
          { attempt, seconds: Math.round(elapsed / 1000) },
          `${what} has not succeeded for ${Math.round(elapsed / 1000)} s: ${describe(error)}`,
        );
        logAt = elapsed * 2;
      }
      await clock.sleep(
        random() * Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(attempt, 10)),
        signal,
      );
    }
  }
}
