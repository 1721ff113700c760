// Repeats what failed for a reason that passes: without end, or until a deadline. An outage of any length is waited out.

import { type Clock, codeOf, describe, jitter, KodomountError, type Log } from "../base/mod.ts";
import type { Key } from "../model/mod.ts";
import type { ObjectStore } from "./object-store.ts";
import type { Troubles } from "./troubles.ts";

export interface RetryOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** No attempt begins later than this after the first; undefined: without end. */
  readonly deadlineMs?: number | undefined;
  /** In [0, 1): spreads the retries of many parts. */
  readonly random?: (() => number) | undefined;
  /** Which errors are not for good; those that are `retryable`, and a clock that is wrong, when absent. */
  readonly mayPass?: ((error: unknown) => boolean) | undefined;
  /** Told of each failed attempt that will be repeated. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

const PAUSE_MIN_MS = 100;
/** Short enough to notice soon that an outage is over. */
const PAUSE_MAX_MS = 4000;
/**
 * A connection that was lost after so long is no sign of an overload, and where all are lost every 20 s a pause costs its
 * share of them: the next attempt begins soon.
 */
const LONG_ATTEMPT_MS = 4000;
/** A wrong answer that comes so often in a row is no accident of the network: who waits is told. */
const BAD_REPLIES_MAX = 5;
/** A failure that lasts is logged after this long, and then each time it has lasted twice as long. */
const LOG_AFTER_MS = 10_000;

/**
 * The same store, with retries of what is `retryable`. `complete` is the exception: when its reply is lost it may have had
 * its effect, and asking again says `NoSuchUpload`; it rejects, and the caller settles it by HEAD.
 */
export function withRetry(
  store: ObjectStore,
  options: RetryOptions & { readonly troubles?: Pick<Troubles, "note" | "end"> | undefined },
): ObjectStore {
  const { troubles } = options;
  const retry = <T>(key: Key, task: () => Promise<T>, signal: AbortSignal | undefined) => {
    if (troubles === undefined) return retrying(task, options, signal);
    const onFailure = (error: unknown): void => troubles.note(key, describe(error));
    return retrying(task, { ...options, onFailure }, signal).finally(() => troubles.end(key));
  };
  return {
    head: (key, signal) => retry(key, () => store.head(key, signal), signal),
    get: (request, signal) => retry(request.key, () => store.get(request, signal), signal),
    read: (request, sink, signal) => {
      const goOn = resuming(store, request, sink);
      return retry(request.key, () => goOn(signal), signal);
    },
    list: (request, signal) => retry(request.prefix, () => store.list(request, signal), signal),
    put: (request, signal) => retry(request.key, () => store.put(request, signal), signal),
    delete: (key, signal) => retry(key, () => store.delete(key, signal), signal),
    restore: (request, signal) => retry(request.key, () => store.restore(request, signal), signal),
    copy: (request, signal) => retry(request.to, () => store.copy(request, signal), signal),
    createUpload: (request, signal) =>
      retry(request.key, () => store.createUpload(request, signal), signal),
    async uploadPart(request, signal) {
      let attempts = 0;
      const task = () => {
        attempts += 1;
        return store.uploadPart(request, signal);
      };
      const { etag } = await retry(request.key, task, signal);
      return { etag, isRepeated: attempts > 1 };
    },
    copyPart: (request, signal) =>
      retry(request.key, () => store.copyPart(request, signal), signal),
    listParts: (request, signal) =>
      retry(request.key, () => store.listParts(request, signal), signal),
    // A request that was refused for its time has had no effect: only that is repeated.
    complete: (request, signal) =>
      retrying(() => store.complete(request, signal), { ...options, mayPass: isSkewed }, signal),
    abort: (request, signal) => retry(request.key, () => store.abort(request, signal), signal),
    close: () => store.close(),
  };
}

/** Reads a range, each time called from where the call before has broken off. */
function resuming(
  store: ObjectStore,
  request: Parameters<ObjectStore["read"]>[0],
  sink: (piece: Buffer) => void,
): (signal: AbortSignal | undefined) => Promise<void> {
  const { offset, length } = request.range;
  let received = 0;
  return async (signal) => {
    // Broken off behind the last byte: there is nothing left to ask for.
    if (received === length) return;
    const range = { offset: offset + received, length: length - received };
    const take = (piece: Buffer): void => {
      received += piece.length;
      sink(piece);
    };
    await store.read({ ...request, range }, take, signal);
  };
}

/**
 * Runs `task` until it succeeds or fails for good, with a pause of random length between attempts, which grows to 4 s while
 * they fail quickly or the store is overloaded.
 * @throws its last error; `Interrupted` when `signal` aborts during a pause.
 */
export async function retrying<T>(
  task: () => Promise<T>,
  options: RetryOptions,
  signal?: AbortSignal,
): Promise<T> {
  const { clock, log, deadlineMs = Number.POSITIVE_INFINITY, random = jitter } = options;
  const { mayPass = passes } = options;
  const start = clock.monotonic();
  let logAt = LOG_AFTER_MS;
  let quick = 0;
  let bad = 0;
  for (let attempt = 0; ; attempt += 1) {
    const begun = clock.monotonic();
    try {
      return await task();
    } catch (error) {
      if (signal?.aborted || !mayPass(error)) throw error;
      bad = codeOf(error) === "BadReply" ? bad + 1 : 0;
      if (bad > BAD_REPLIES_MAX) throw error;
      options.onFailure?.(error);
      const now = clock.monotonic();
      const elapsed = now - start;
      if (now - begun >= LONG_ATTEMPT_MS && codeOf(error) !== "Unavailable") quick = 0;
      const pause = random() * Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(quick, 10));
      quick += 1;
      if (elapsed + pause > deadlineMs) throw error;
      if (elapsed >= logAt) {
        const seconds = Math.round(elapsed / 1000);
        // Who is told of each failure says one line for all: hundreds of parts may be under way.
        const level = options.onFailure === undefined ? "warn" : "debug";
        log[level]({ attempt, seconds }, `No success for ${seconds} s: ${describe(error)}`);
        logAt = elapsed * 2;
      }
      await clock.sleep(pause, signal);
    }
  }
}

/** A wrong clock too: the SDK learns the store's time from each refusal, and clocks are set right sooner or later. */
function passes(error: unknown): boolean {
  return error instanceof KodomountError && (error.retryable || isSkewed(error));
}

function isSkewed(error: unknown): boolean {
  return error instanceof KodomountError && error.code === "ClockSkewed";
}
