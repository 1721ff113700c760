// The main thread's side of the thread that reads.

import type { Worker } from "node:worker_threads";
import { describe, KodomountError, type Log, startThread } from "../base/mod.ts";
import type { ReadOrder, ReadReport, ReadThreadOptions } from "./read-messages.ts";
import type { DirectReply, Reader, ReadRequest, Version } from "./reader.ts";

interface Waiting {
  readonly resolve: (value: Uint8Array | "written") => void;
  readonly reject: (error: KodomountError) => void;
}

export class ReadThread implements Reader {
  readonly #options: ReadThreadOptions;
  readonly #log: Log;
  readonly #waiting = new Map<number, Waiting>();
  /** Started with the first read, and again after it has died. */
  #worker: Worker | undefined;
  #nextId = 1;
  #stopped = false;

  constructor(options: ReadThreadOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  /** @throws also `Interrupted` after `stop`, and `Io` when the thread died. */
  read(
    request: ReadRequest,
    signal: AbortSignal,
    direct?: DirectReply,
  ): Promise<Uint8Array | "written"> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      if (this.#stopped || signal.aborted)
        return reject(new KodomountError("Interrupted", "The read was interrupted"));
      const onAbort = (): void => this.#post({ id, abort: true });
      const end = (): void => {
        this.#waiting.delete(id);
        signal.removeEventListener("abort", onAbort);
      };
      this.#waiting.set(id, {
        resolve: (value) => {
          end();
          resolve(value);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      });
      signal.addEventListener("abort", onAbort, { once: true });
      this.#post({ id, request, direct });
    });
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
    this.#failAll(new KodomountError("Interrupted", "Nothing is read any more"));
  }

  #post(order: ReadOrder): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(order);
  }

  #start(): Worker {
    const worker = startThread(import.meta.url, "read-worker", this.#options);
    worker.on("message", (report: ReadReport) => this.#report(report));
    worker.on("error", (error) => this.#died(worker, error));
    worker.on("exit", (code) => this.#died(worker, new Error(`it has ended with ${code}`)));
    return worker;
  }

  #report(report: ReadReport): void {
    if ("log" in report) return this.#log[report.log](report.fields, report.message);
    const waiting = this.#waiting.get(report.id);
    if ("value" in report) waiting?.resolve(report.value);
    else waiting?.reject(new KodomountError(report.code, report.message));
  }

  #died(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#log.error(
      { err: error },
      `The thread that reads has died and is started again with the next read: ${describe(error)}`,
    );
    this.#failAll(new KodomountError("Io", "The thread that reads has died", { cause: error }));
  }

  #failAll(error: KodomountError): void {
    for (const { reject } of [...this.#waiting.values()]) reject(error);
  }
}
