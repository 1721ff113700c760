// Ends a request of which nothing moves: a connection that is not made, a peer that neither takes nor sends. A request
// that moves, however slowly, goes on.

import type { ClientRequest } from "node:http";
import type { Socket } from "node:net";
import { type Background, type Clock, KodomountError } from "../base/mod.ts";
import type { SendQueues } from "./send-queue.ts";

/** A connection that is not made by then will not be made. */
const CONNECT_MS = 5000;
/** No byte in either direction for this long ends the attempt. */
export const NO_PROGRESS_MS = 10_000;
/** How often progress is looked at. */
const LOOK_MS = 1000;
/** After so long without anything that Node can see, the kernel is asked too. */
const ASK_KERNEL_MS = 3000;

export class ProgressWatch {
  readonly #clock: Clock;
  readonly #background: Background;
  readonly #queues: SendQueues;
  readonly #request: ClientRequest;
  readonly #replyMs: number;
  readonly #onStuck: (error: KodomountError) => void;
  #socket: Socket | undefined;
  #connected = false;
  #stopped = false;
  /** Bytes that Node has seen move; negative: not looked at yet. */
  #moved = -1;
  #queue: number | undefined;
  #since: number;
  #cancel: () => void;

  /**
   * @param options.replyMs how long the reply may take once the whole request is delivered.
   * @param options.onStuck called once, with `TimedOut`.
   */
  constructor(
    request: ClientRequest,
    options: {
      clock: Clock;
      background: Background;
      queues: SendQueues;
      replyMs: number;
      onStuck: (error: KodomountError) => void;
    },
  ) {
    this.#clock = options.clock;
    this.#background = options.background;
    this.#queues = options.queues;
    this.#request = request;
    this.#replyMs = options.replyMs;
    this.#onStuck = options.onStuck;
    this.#since = this.#clock.monotonic();
    this.#cancel = this.#next();
    request.once("socket", (socket) => this.#begin(socket));
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #begin(socket: Socket): void {
    this.#socket = socket;
    this.#since = this.#clock.monotonic();
    this.#connected = !socket.connecting;
    if (this.#connected) return;
    socket.once("connect", () => {
      this.#connected = true;
      this.#since = this.#clock.monotonic();
    });
  }

  #next(): () => void {
    return this.#clock.after(LOOK_MS, () =>
      this.#background.run("the watch over a request", () => this.#look()),
    );
  }

  async #look(): Promise<void> {
    if (await this.#hasMoved()) this.#since = this.#clock.monotonic();
    if (this.#stopped) return;
    const limit = this.#limit();
    if (this.#clock.monotonic() - this.#since < limit) {
      this.#cancel = this.#next();
      return;
    }
    this.stop();
    const what = this.#connected ? "no byte has moved" : "no connection was made";
    this.#onStuck(new KodomountError("TimedOut", `${what} for ${limit / 1000} s`));
  }

  #limit(): number {
    if (!this.#connected) return CONNECT_MS;
    return this.#request.writableFinished ? this.#replyMs : NO_PROGRESS_MS;
  }

  async #hasMoved(): Promise<boolean> {
    const socket = this.#socket;
    // It waits for a connection of the pool: whether those move is watched by the requests that have them.
    if (socket === undefined) return true;
    if (!this.#connected) return false;
    const moved = socket.bytesRead + socket.bytesWritten - socket.writableLength;
    if (moved !== this.#moved) {
      this.#moved = moved;
      this.#queue = undefined;
      return true;
    }
    if (this.#clock.monotonic() - this.#since < ASK_KERNEL_MS) return false;
    const before = this.#queue;
    this.#queue = await this.#queues.of(socket);
    return before !== undefined && this.#queue !== undefined && this.#queue !== before;
  }
}
