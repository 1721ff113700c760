// The main thread's side of the worker: who goes first, how many at once, and what to do should the worker die.

import type { Worker } from "node:worker_threads";
import {
  Calls,
  type Clock,
  describe,
  KodomountError,
  type Log,
  newAbort,
  startThread,
} from "../base/mod.ts";
import { type Etag, type Key, type Sha256, toEtag, toSha256 } from "../model/mod.ts";
import type { StoreOptions, Troubles } from "../store/mod.ts";
import { Lanes } from "./lanes.ts";
import type { Order, PartTask, PutTask, Report, Task, WorkerOptions } from "./messages.ts";

export interface SenderOptions {
  readonly store: StoreOptions;
  /** Parts that are on their way at the same time: what a kill may cost. undefined: as many as pay. */
  readonly lanes: number | undefined;
  readonly log: Log;
  readonly clock: Clock;
  /** Told of what the thread tries again. */
  readonly troubles?: Pick<Troubles, "note" | "end"> | undefined;
}

/** Requests that are given up end at once; the rest of them, a retry that sleeps, is not worth more. */
const GIVE_UP_MS = 2000;

/** What who publishes needs of a sender. */
export type Sending = Pick<Sender, "hash" | "uploadPart" | "put"> & {
  progress(): Pick<ReturnType<Sender["progress"]>, "inFlight" | "bytesAcknowledged">;
};

interface Result {
  readonly value: string;
  readonly isRepeated?: boolean;
}

/** Bytes on their way. Reading, hashing and sending happen in one worker thread; this side keeps the order and the count. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #lanes: Lanes;
  readonly #calls = new Calls<Result>();
  /** Started with the first task, and again after it has died. */
  #worker: Worker | undefined;
  #inFlight = 0;
  #bytesAcknowledged = 0;
  /** By the connections of threads that died, and of the one that runs, as it said last. */
  #carriedBefore = 0;
  #carried = 0;
  #lastProgressAt: number;
  #stopped = false;
  /** What the thread has said that it tries again. */
  readonly #troubled = new Set<Key>();

  private constructor(options: SenderOptions) {
    this.#options = options;
    this.#lanes = new Lanes(options.lanes, options);
    this.#lastProgressAt = options.clock.now();
  }

  static async start(options: SenderOptions): Promise<Sender> {
    return new Sender(options);
  }

  /** SHA-256 of the first `size` bytes. @throws `Corrupt` when the file is shorter or gone. */
  async hash(file: { path: string; size: number }, signal?: AbortSignal): Promise<Sha256> {
    return toSha256((await this.#ask({ kind: "hash", ...file }, signal)).value);
  }

  /**
   * Sends a part; retries without end what may pass.
   * @param priority the smallest goes first.
   * @param record notes the acknowledgement: only then does another part take the lane, so that a kill never costs more
   * parts than there are lanes.
   * @returns `isRepeated` as `ObjectStore.uploadPart`.
   * @throws `Interrupted` when `signal` aborts, once the connection is given up and the file is no longer read; `Unavailable`
   * when the thread died: the part may or may not have arrived. Otherwise as `ObjectStore.uploadPart`, and `Corrupt`.
   */
  uploadPart(
    request: Omit<PartTask, "kind">,
    priority: number,
    signal?: AbortSignal,
    record?: (etag: Etag) => Promise<void>,
  ): Promise<{ etag: Etag; isRepeated: boolean }> {
    return this.#send({ kind: "part", ...request }, priority, signal, record);
  }

  /** Makes an object in one request, of a spill file or empty. Otherwise as `uploadPart`. */
  async put(
    request: Omit<PutTask, "kind">,
    priority: number,
    signal?: AbortSignal,
  ): Promise<{ etag: Etag }> {
    const { etag } = await this.#send({ kind: "put", ...request }, priority, signal);
    return { etag };
  }

  /** For status: how much is under way, and when the store has acknowledged something last. */
  progress(): {
    inFlight: number;
    /** Of parts and objects that the store has taken. */
    bytesAcknowledged: number;
    /** That have reached the store's side, whatever came of them. */
    bytesCarried: number;
    lastProgressAt: number;
  } {
    return {
      inFlight: this.#inFlight,
      bytesAcknowledged: this.#bytesAcknowledged,
      bytesCarried: Math.max(this.#bytesAcknowledged, this.#carriedBefore + this.#carried),
      lastProgressAt: this.#lastProgressAt,
    };
  }

  /** Ends the thread; what is under way rejects with `Interrupted`, and so does what is asked later. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#abortAll();
    await this.#worker?.terminate();
    this.#worker = undefined;
    this.#calls.failAll(new KodomountError("Interrupted", "The sender has stopped"));
  }

  /**
   * The thread is not ended while it closes a file: Node has been seen to abort the whole process then. But neither is it
   * waited for longer than it takes to give up a request.
   */
  async #abortAll(): Promise<void> {
    const worker = this.#worker;
    const { ids } = this.#calls;
    if (worker === undefined || ids.length === 0) return;
    const idle = this.#calls.idle();
    for (const id of ids) worker.postMessage({ id, task: "abort" } satisfies Order);
    const given = newAbort();
    await Promise.race([idle, this.#options.clock.sleep(GIVE_UP_MS, given.signal)]);
    given.abort();
  }

  async #send(
    task: PartTask | PutTask,
    priority: number,
    signal?: AbortSignal,
    record?: (etag: Etag) => Promise<void>,
  ): Promise<{ etag: Etag; isRepeated: boolean }> {
    // Held until the worker has answered: a part that is being given up still has its connection.
    using _ = await this.#lanes.acquire(priority, signal);
    this.#inFlight += 1;
    try {
      const { value, isRepeated = false } = await this.#ask(task, signal);
      const etag = toEtag(value);
      this.#bytesAcknowledged += task.size;
      this.#lanes.acknowledged();
      this.#lastProgressAt = this.#options.clock.now();
      await record?.(etag);
      return { etag, isRepeated };
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #ask(task: Task, signal?: AbortSignal): Promise<Result> {
    if (this.#stopped || signal?.aborted)
      throw new KodomountError("Interrupted", "It is not to be sent any more");
    return this.#calls.begin(signal, {
      ask: (id) => this.#post({ id, task }),
      abort: (id) => this.#post({ id, task: "abort" }),
    });
  }

  #post(order: Order): void {
    this.#worker ??= this.#startWorker();
    this.#worker.postMessage(order);
  }

  #startWorker(): Worker {
    const { store } = this.#options;
    // A connection for each lane: none waits for another within the thread, where priorities count no more.
    const workerData: WorkerOptions = { store: { ...store, connections: this.#lanes.max } };
    const worker = startThread(import.meta.url, "worker", workerData);
    worker.on("message", (report: Report) => this.#report(report));
    worker.on("error", (error) => this.#died(worker, error));
    worker.on("exit", (code) => this.#died(worker, new Error(`it has ended with ${code}`)));
    return worker;
  }

  #report(report: Report): void {
    if ("carried" in report) {
      this.#carried = report.carried.bytes;
      return this.#lanes.carried(report.carried);
    }
    if ("log" in report) return this.#options.log[report.log](report.fields, report.message);
    if ("trouble" in report) return this.#note(report);
    if ("value" in report) this.#calls.resolve(report.id, report);
    else this.#calls.reject(report.id, new KodomountError(report.code, report.message));
  }

  #note({ key, trouble }: { key: Key; trouble: string | undefined }): void {
    if (trouble === undefined) {
      this.#troubled.delete(key);
      return this.#options.troubles?.end(key);
    }
    this.#troubled.add(key);
    this.#options.troubles?.note(key, trouble);
  }

  /** What was under way may have had its effect or not: as after any broken connection. */
  #died(worker: Worker, error: Error): void {
    if (this.#stopped || this.#worker !== worker) return;
    this.#worker = undefined;
    this.#carriedBefore += this.#carried;
    this.#carried = 0;
    for (const key of this.#troubled) this.#note({ key, trouble: undefined });
    this.#options.log.error(
      { err: error },
      `The thread that sends has died and is started again with the next task: ${describe(error)}`,
    );
    this.#calls.failAll(
      new KodomountError("Unavailable", "The thread that sends has died", { cause: error }),
    );
  }
}
