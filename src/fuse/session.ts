// The life of one connection to the kernel: reads requests, keeps what is in progress, replies. Requests are answered in
// whatever order they get done, and any number of them may be in progress: a FLUSH may take hours.

import { constants } from "node:os";
import {
  type Background,
  type Clock,
  describe,
  invariant,
  KodomountError,
  type Log,
  systemClock,
  toError,
} from "../base/mod.ts";
import { Buffers } from "./buffers.ts";
import { Complaints } from "./complaints.ts";
import { decodeBatchForget, decodeForget, decodeInterrupt, decodeWriteFlags } from "./decode.ts";
import type { Device } from "./device.ts";
import { type Answer, type Context, findOperation } from "./dispatch.ts";
import { decodeInit, encodeInit, type Negotiated, negotiate } from "./init.ts";
import { endWhenMeant, type Running } from "./interrupts.ts";
import { Opcode, WRITE_CACHE } from "./layout.ts";
import { type Header, isResent, type Message, originalUnique, parseMessage } from "./message.ts";

const { errno } = constants;
/** Threads of Node's pool that wait in read(2): while one request is taken in, the next is read. */
export const READER_COUNT = 2;
/** Smaller writes are copied: 64 KiB take less time than a large buffer is worth. */
const LENT_SIZE_MIN = 64 * 1024;

export interface SessionOptions {
  readonly device: Pick<Device, "read" | "reply" | "direct" | "close">;
  readonly context: Context;
  readonly log: Log;
  readonly background: Background;
  readonly buffers?: Buffers;
  readonly clock?: Clock;
}

export class Session {
  /** What INIT agreed on; rejects with `Config` when the kernel is too old, with `Io` when it ended before. */
  readonly negotiated: Promise<Negotiated>;
  /** The filesystem was unmounted, and everything that was in progress then has ended. */
  readonly closed: Promise<void>;
  readonly #options: SessionOptions;
  readonly #buffers: Buffers;
  readonly #complaints: Complaints;
  /** Requests in progress, by their number without the resend bit. */
  readonly #running = new Map<bigint, Running>();
  /** Writes whose bytes were dropped for want of a buffer, oldest first: number without the resend bit to number. */
  readonly #starved = new Map<bigint, bigint>();
  #settleInit: { resolve(agreed: Negotiated): void; reject(error: Error): void } | undefined;
  #idle: (() => void) | undefined;

  /** Begins to read: the device must have been mounted. */
  constructor(options: SessionOptions) {
    this.#options = options;
    this.#buffers = options.buffers ?? new Buffers();
    this.#complaints = new Complaints(options.log, options.clock ?? systemClock);
    this.negotiated = new Promise((resolve, reject) => {
      this.#settleInit = { resolve, reject };
    });
    this.negotiated.catch(() => {}); // who awaits it is told; nobody has to
    this.closed = new Promise((resolve) => {
      options.background.run("The FUSE connection", () => this.#serve().finally(resolve));
    });
  }

  async #serve(): Promise<void> {
    try {
      await Promise.all(Array.from({ length: READER_COUNT }, () => this.#readAll()));
    } finally {
      this.#settleInit?.reject(new KodomountError("Io", "Unmounted before it was mounted"));
      // Their callers are gone. The device is closed last: a late reply must not reach another file of the same number.
      for (const { controller } of this.#running.values()) controller.abort();
      if (this.#running.size > 0)
        await new Promise<void>((resolve) => {
          this.#idle = resolve;
        });
      this.#options.device.close();
    }
  }

  async #readAll(): Promise<void> {
    let buffer = this.#buffers.take(true);
    for (;;) {
      invariant(buffer !== undefined, "every reader has a buffer");
      const length = await this.#options.device.read(buffer);
      if (length === undefined) return;
      buffer = this.#receive(buffer, length);
    }
  }

  /** Takes in the request in `buffer` and says which buffer to read into next. */
  #receive(buffer: Buffer, length: number): Buffer {
    try {
      const message = parseMessage(buffer, length);
      const { opcode } = message.header;
      if (opcode === Opcode.WRITE && length >= LENT_SIZE_MIN) return this.#lend(buffer, message);
      if (!this.#answerAtOnce(message))
        this.#start({ ...message, body: Buffer.from(message.body) });
    } catch (error) {
      this.#options.log.error(
        { err: error },
        `A FUSE request was not understood: ${describe(error)}`,
      );
    }
    return buffer;
  }

  /** Starts a large write in the buffer that it came in; the reader goes on with another. */
  #lend(buffer: Buffer, message: Message): Buffer {
    const isWriteBack = (decodeWriteFlags(message.body) & WRITE_CACHE) !== 0;
    const next = this.#buffers.take(isWriteBack);
    if (next === undefined) {
      const { unique } = message.header;
      this.#starved.set(originalUnique(unique), unique);
      return buffer;
    }
    this.#start(message, () => {
      this.#buffers.give(buffer);
      const [starved] = this.#starved.keys();
      if (starved !== undefined) this.#retryStarved(starved);
    });
    return next;
  }

  /** Requests that are not answered, or not by the filesystem. Returns false for all others. */
  #answerAtOnce({ header, body }: Message): boolean {
    const { filesystem } = this.#options.context;
    switch (header.opcode) {
      case Opcode.FORGET:
        filesystem.forget(header.ino, decodeForget(body));
        return true;
      case Opcode.BATCH_FORGET:
        for (const { ino, count } of decodeBatchForget(body)) filesystem.forget(ino, count);
        return true;
      case Opcode.INTERRUPT:
        this.#interrupt(header, originalUnique(decodeInterrupt(body)));
        return true;
      case Opcode.INIT:
        this.#init(header, body);
        return true;
      default:
        return false;
    }
  }

  #init(header: Header, body: Buffer): void {
    try {
      const agreed = negotiate(decodeInit(body));
      this.#options.device.reply(header.unique, encodeInit(agreed));
      this.#settleInit?.resolve(agreed);
    } catch (error) {
      this.#options.device.reply(header.unique, errno.EPROTO);
      this.#settleInit?.reject(toError(error));
    }
  }

  /** The caller of request `victim` has got a signal. An INTERRUPT itself is not answered, unless it is to come again. */
  #interrupt(header: Header, victim: bigint): void {
    if (this.#retryStarved(victim)) return;
    const running = this.#running.get(victim);
    // Done already, and then this reply finds nobody; or read by the other reader and not yet taken in.
    if (running === undefined) return this.#options.device.reply(header.unique, errno.EAGAIN);
    const { background, context, clock = systemClock } = this.#options;
    const isRunning = (): boolean => this.#running.get(victim) === running;
    background.run("An interrupted FUSE request", () =>
      endWhenMeant(running, { isEnding: context.isEnding, isRunning, clock }),
    );
  }

  #retryStarved(key: bigint): boolean {
    const unique = this.#starved.get(key);
    if (unique === undefined) return false;
    this.#starved.delete(key);
    this.#options.device.reply(unique, errno.EINTR);
    return true;
  }

  #start(message: Message, after: () => void = () => {}): void {
    const { opcode, pid, unique } = message.header;
    const key = originalUnique(unique);
    const controller = new AbortController();
    this.#running.set(key, { controller, opcode, pid });
    this.#options.background.run("A FUSE request", async () => {
      const answer = await this.#answer(message, controller.signal);
      this.#running.delete(key);
      if (answer !== "written") this.#options.device.reply(unique, answer);
      after();
      if (this.#running.size === 0) this.#idle?.();
    });
  }

  async #answer({ header, body }: Message, signal: AbortSignal): Promise<Answer> {
    const { opcode, unique, ino, uid, gid, pid } = header;
    const operation = findOperation(opcode);
    if (operation === undefined) {
      this.#options.log.debug({ opcode }, "The kernel asked for an operation that is not known");
      return errno.ENOSYS;
    }
    const request = {
      unique: String(originalUnique(unique)),
      resent: isResent(unique),
      caller: { uid, gid, pid },
      signal,
      ...(opcode === Opcode.READ ? { direct: this.#options.device.direct(unique) } : {}),
    };
    try {
      return await operation(this.#options.context, { request, ino, body });
    } catch (error) {
      return this.#complaints.note(error, header);
    }
  }
}
