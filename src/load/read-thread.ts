// The main thread's side of the thread that reads.

import type { Worker } from "node:worker_threads";
import { Calls, describe, invariant, KodomountError, type Log, startThread } from "../base/mod.ts";
import type { ReadAnswer, ReadOrder, ReadReport, ReadThreadOptions } from "./read-messages.ts";
import type { DirectReply, Reader, ReadRequest, Version } from "./reader.ts";

export class ReadThread implements Reader {
  readonly #options: ReadThreadOptions;
  readonly #log: Log;
  readonly #calls = new Calls<ReadAnswer>();
  /** Started by `start` or with the first read, and again after it has died. */
  #worker: Worker | undefined;
  #stopped = false;

  constructor(options: ReadThreadOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  /** Starts the thread, unless it runs: the first read then does not wait for it. */
  start(): void {
    if (!this.#stopped) this.#worker ??= this.#begin();
  }

  /** @throws also `Interrupted` after `stop`, and `Io` when the thread died. */
  async read(
    request: ReadRequest,
    signal: AbortSignal,
    direct?: DirectReply,
  ): Promise<Uint8Array | "written"> {
    const answer = await this.#ask(signal, (id) => ({ id, request, direct }));
    invariant(typeof answer !== "number", "a read answers bytes");
    return answer;
  }

  /**
   * Sees to it that the cache on disk has the range, which begins with a block and ends with one or with the object.
   * @returns how many bytes were fetched. @throws as `read`; `NoSpace` when the cache does not take them.
   */
  async keep(request: ReadRequest, signal: AbortSignal): Promise<number> {
    const answer = await this.#ask(signal, (id) => ({ id, keep: request }));
    invariant(typeof answer === "number", "what is kept is counted");
    return answer;
  }

  forget({ key, etag }: Pick<Version, "key" | "etag">): void {
    this.#worker?.postMessage({ forget: { key, etag } } satisfies ReadOrder);
  }

  /** Ends the thread; what is under way rejects with `Interrupted`. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#calls.failAll(new KodomountError("Interrupted", "Nothing is read any more"));
  }

  async #ask(signal: AbortSignal, order: (id: number) => ReadOrder): Promise<ReadAnswer> {
    if (this.#stopped || signal.aborted)
      throw new KodomountError("Interrupted", "The read was interrupted");
    return this.#calls.begin(signal, {
      ask: (id) => this.#post(order(id)),
      abort: (id) => this.#post({ id, abort: true }),
    });
  }

  #post(order: ReadOrder): void {
    this.#worker ??= this.#begin();
    this.#worker.postMessage(order);
  }

  #begin(): Worker {
    const worker = startThread(import.meta.url, "read-worker", this.#options);
    worker.on("message", (report: ReadReport) => this.#report(report));
    worker.on("error", (error) => this.#died(worker, error));
    worker.on("exit", (code) => this.#died(worker, new Error(`it has ended with ${code}`)));
    return worker;
  }

  #report(report: ReadReport): void {
    if ("log" in report) return this.#log[report.log](report.fields, report.message);
    if ("value" in report) this.#calls.resolve(report.id, report.value);
    else this.#calls.reject(report.id, new KodomountError(report.code, report.message));
  }

  #died(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#log.error(
      { err: error },
      `The thread that reads has died and is started again with the next read: ${describe(error)}`,
    );
    this.#calls.failAll(
      new KodomountError("Io", "The thread that reads has died", { cause: error }),
    );
  }
}
