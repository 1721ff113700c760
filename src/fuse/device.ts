// The open /dev/fuse: requests come out of it, replies go in.
//
// A read(2) of it blocks a thread of Node's pool until there is a request. Such a thread cannot be stopped: process.exit()
// waits for it for ever. What ends it is the end of the connection (ENODEV), that is, unmounting.

import { closeSync, constants, openSync, read, writeSync, writevSync } from "node:fs";
import { constants as osConstants } from "node:os";
import { promisify } from "node:util";
import { errnoOf, KodomountError, type Log } from "../base/mod.ts";
import { encodeHeader } from "./encode.ts";

const PATH = "/dev/fuse";
const readAsync = promisify(read);
/** Nothing was read, and the next read may have something: the request was ended by a signal just then. */
const TRY_AGAIN: ReadonlySet<string> = new Set(["ENOENT", "EINTR", "EAGAIN"]);
/** Nobody waits for this reply any more: ended by a signal, or unmounted. */
const NOT_WAITED_FOR: ReadonlySet<string> = new Set(["ENOENT", "ENODEV", "ECONNABORTED", "EPERM"]);

export class Device {
  readonly fd: number;
  readonly #log: Log;

  private constructor(fd: number, log: Log) {
    this.fd = fd;
    this.#log = log;
  }

  /** @throws `Config` when the device is missing or not for us. */
  static open(log: Log): Device {
    try {
      return new Device(openSync(PATH, constants.O_RDWR), log);
    } catch (error) {
      throw new KodomountError(
        "Config",
        `Cannot open ${PATH}: load the kernel module fuse, and in a container give the device with --device ${PATH}`,
        { cause: error },
      );
    }
  }

  /** One request into `buffer`: its length, or undefined when the filesystem has been unmounted. */
  async read(buffer: Buffer): Promise<number | undefined> {
    for (;;) {
      try {
        return (await readAsync(this.fd, buffer, 0, buffer.length, null)).bytesRead;
      } catch (error) {
        const code = errnoOf(error) ?? "";
        if (code === "ENODEV" || code === "ECONNABORTED") return undefined;
        if (!TRY_AGAIN.has(code)) throw error;
      }
    }
  }

  /** Answers request `unique` with a payload, or with a positive errno. Never blocks. */
  reply(unique: bigint, answer: Uint8Array | number): void {
    try {
      this.#write(unique, answer);
    } catch (error) {
      if (NOT_WAITED_FOR.has(errnoOf(error) ?? "")) return;
      this.#log.error({ err: error, unique: String(unique) }, "The kernel refused a reply");
      if (answer !== osConstants.errno.EIO) this.reply(unique, osConstants.errno.EIO); // or its caller waits for ever
    }
  }

  /** How another thread answers request `unique` with bytes by itself: a header that lacks only the length. */
  direct(unique: bigint): { fd: number; head: Uint8Array } {
    return { fd: this.fd, head: encodeHeader(unique, 0, 0) };
  }

  close(): void {
    closeSync(this.fd);
  }

  #write(unique: bigint, answer: Uint8Array | number): void {
    if (typeof answer === "number") writeSync(this.fd, encodeHeader(unique, answer, 0));
    else if (answer.length === 0) writeSync(this.fd, encodeHeader(unique, 0, 0));
    else writevSync(this.fd, [encodeHeader(unique, 0, answer.length), answer]);
  }
}
