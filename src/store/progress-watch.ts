// Ends a request of which nothing moves: a connection that is not made, a peer that neither takes nor sends. A request
// that moves, however slowly, goes on.

import type { ClientRequest } from "node:http";
import type { Socket } from "node:net";
import { type Background, type Clock, KodomountError } from "../base/mod.ts";
import type { ReplyTimes } from "./reply-times.ts";
import type { SendQueues } from "./send-queue.ts";

/** A connection that is not made by then will not be made. */
const CONNECT_MS = 5000;
/** No byte in either direction for this long ends the attempt. */
const NO_PROGRESS_MS = 10_000;
/** How often progress is looked at. */
const LOOK_MS = 1000;
/** After so long without anything that Node can see, the kernel is asked too. */
const ASK_KERNEL_MS = 3000;

export interface WatchOptions {
  readonly clock: Clock;
  readonly background: Background;
  readonly queues: SendQueues;
  /** How long the store may take to answer; undefined: as long as it may stand still. */
  readonly replyMs?: number | undefined;
  /** What is known of answers to requests like this one: a late one is then not waited for that long. */
  readonly replies?: ReplyTimes | undefined;
  /** Called once, with `TimedOut`. */
  readonly onStuck: (error: KodomountError) => void;
}

export class ProgressWatch {
  readonly #options: WatchOptions;
  readonly #request: ClientRequest;
  #socket: Socket | undefined;
  #connected = false;
  #stopped = false;
  #answered = false;
  /** Bytes that Node has seen move; negative: not looked at yet. */
  #moved = -1;
  #queue: number | undefined;
  /** When it was first seen that the peer has everything. */
  #deliveredAt: number | undefined;
  #since: number;
  #cancel: () => void;

  constructor(request: ClientRequest, options: WatchOptions) {
    this.#options = options;
    this.#request = request;
    this.#since = options.clock.monotonic();
    this.#cancel = this.#next();
    request.once("socket", (socket) => this.#begin(socket));
    request.once("response", () => this.#answer());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #begin(socket: Socket): void {
    this.#socket = socket;
    this.#since = this.#options.clock.monotonic();
    this.#connected = !socket.connecting;
    if (this.#connected) return;
    socket.once("connect", () => {
      this.#connected = true;
      this.#since = this.#options.clock.monotonic();
    });
  }

  #answer(): void {
    this.#answered = true;
    const { clock, replies } = this.#options;
    // One that comes before it was seen that the store has everything was quick.
    replies?.took(this.#deliveredAt === undefined ? 0 : clock.monotonic() - this.#deliveredAt);
  }

  #next(): () => void {
    return this.#options.clock.after(LOOK_MS, () =>
      this.#options.background.run("the watch over a request", () => this.#look()),
    );
  }

  async #look(): Promise<void> {
    if (await this.#hasMoved()) this.#since = this.#options.clock.monotonic();
    if (this.#stopped) return;
    const limit = this.#limit();
    if (this.#options.clock.monotonic() - this.#since < limit) {
      this.#cancel = this.#next();
      return;
    }
    this.stop();
    if (this.#isLate()) this.#options.replies?.missed(limit);
    const what = this.#connected ? "no byte has moved" : "no connection was made";
    this.#options.onStuck(new KodomountError("TimedOut", `${what} for ${limit / 1000} s`));
  }

  #limit(): number {
    if (!this.#connected) return CONNECT_MS;
    const { replyMs, replies } = this.#options;
    if (this.#isLate() && replies !== undefined) return replies.limitMs;
    return (this.#request.writableFinished ? replyMs : undefined) ?? NO_PROGRESS_MS;
  }

  /** The peer has everything, and does not answer. */
  #isLate(): boolean {
    return this.#deliveredAt !== undefined && !this.#answered;
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
    const { clock, replies, queues } = this.#options;
    const isWaiting = replies !== undefined && this.#request.writableFinished && !this.#answered;
    if (!isWaiting && clock.monotonic() - this.#since < ASK_KERNEL_MS) return false;
    const before = this.#queue;
    this.#queue = await queues.of(socket);
    if (isWaiting && this.#queue === 0) this.#deliveredAt ??= clock.monotonic();
    return before !== undefined && this.#queue !== undefined && this.#queue !== before;
  }
}
