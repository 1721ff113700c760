// What a session does with requests, by a device that the test plays.

import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { Background, KodomountError, silentLog } from "../../../src/base/mod.ts";
import { Buffers } from "../../../src/fuse/buffers.ts";
import { Opcode } from "../../../src/fuse/layout.ts";
import { Session } from "../../../src/fuse/session.ts";
import { MemoryFilesystem, type MemoryOptions } from "../../support/memory-filesystem.ts";
import { struct } from "./struct.ts";

const { errno } = constants;
const RESENT = 1n << 63n;

/** Gives requests in the order in which the test sends them, and collects the replies. */
class PlayedDevice {
  readonly replies: { unique: bigint; answer: Uint8Array | number }[] = [];
  isClosed = false;
  readonly #requests: Buffer[] = [];
  readonly #readers: { buffer: Buffer; resolve: (length: number | undefined) => void }[] = [];
  readonly #waiting: (() => void)[] = [];

  read(buffer: Buffer): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.#readers.push({ buffer, resolve });
      this.#pass();
    });
  }

  reply(unique: bigint, answer: Uint8Array | number): void {
    this.replies.push({ unique, answer });
    for (const wake of this.#waiting.splice(0)) wake();
  }

  direct(): { fd: number; head: Uint8Array } {
    return { fd: -1, head: new Uint8Array(16) };
  }

  close(): void {
    this.isClosed = true;
  }

  send(opcode: number, unique: bigint, body: Buffer, ino = 1n): void {
    const head = struct(["u32", 40 + body.length], ["u32", opcode], ["u64", unique], ["u64", ino]);
    this.#requests.push(Buffer.concat([head, Buffer.alloc(16), body]));
    this.#pass();
  }

  unmount(): void {
    for (const { resolve } of this.#readers.splice(0)) resolve(undefined);
  }

  async answerTo(unique: bigint): Promise<Uint8Array | number> {
    for (;;) {
      const found = this.replies.find((reply) => reply.unique === unique);
      if (found !== undefined) return found.answer;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #pass(): void {
    while (this.#readers.length > 0 && this.#requests.length > 0) {
      const request = this.#requests.shift();
      const reader = this.#readers.shift();
      if (request === undefined || reader === undefined) return;
      request.copy(reader.buffer);
      reader.resolve(request.length);
    }
  }
}

/** @param isEnding what /proc says of callers that have got a signal. */
function start(
  options: MemoryOptions = {},
  buffers: Buffers = new Buffers(),
  isEnding: () => boolean = () => true,
) {
  const device = new PlayedDevice();
  const filesystem = new MemoryFilesystem(options);
  const findClosing = async () => ({ end: "live", tgid: 1, heldElsewhere: false }) as const;
  const context = { filesystem, findClosing, isEnding: async () => isEnding() };
  const background = new Background(silentLog);
  const session = new Session({ device, context, log: silentLog, background, buffers });
  return { device, filesystem, session };
}

const init = (minor: number): Buffer =>
  Buffer.concat([
    struct(["u32", 7], ["u32", minor], ["u32", 131072], ["u32", 0]),
    Buffer.alloc(48),
  ]);
const interrupt = (victim: bigint): Buffer => struct(["u64", victim]);
const create = (name: string): Buffer =>
  Buffer.concat([
    struct(["u32", 2], ["u32", 0o644], ["u32", 0], ["u32", 0]),
    Buffer.from(`${name}\0`),
  ]);

async function createFile(device: PlayedDevice, name: string): Promise<bigint> {
  device.send(Opcode.CREATE, 1000n, create(name));
  const answer = await device.answerTo(1000n);
  if (typeof answer === "number") throw new Error(`CREATE answered ${answer}`);
  return Buffer.from(answer).readBigUInt64LE(128);
}

const write = (handle: bigint, size: number): Buffer =>
  Buffer.concat([
    struct(["u64", handle], ["u64", 0n], ["u32", size], ["u32", 0], ["u64", 0n], ["u64", 0n]),
    Buffer.alloc(size),
  ]);

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const abort = (): void => reject(new KodomountError("Interrupted", "By the test"));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });

describe("Session", () => {
  it("keeps what INIT agreed on", async () => {
    const { device, session } = start();
    device.send(Opcode.INIT, 2n, init(45), 0n);
    expect(await session.negotiated).toMatchObject({ minor: 45, writeSizeMax: 1048576 });
  });

  it("refuses a kernel that is too old", async () => {
    const { device, session } = start();
    device.send(Opcode.INIT, 2n, init(19), 0n);
    expect(await device.answerTo(2n)).toBe(errno.EPROTO);
    await expect(session.negotiated).rejects.toMatchObject({ code: "Config" });
  });

  it("repeats the number of a resent request in the reply", async () => {
    const { device } = start();
    device.send(Opcode.GETATTR, RESENT | 4n, Buffer.alloc(16));
    expect(await device.answerTo(RESENT | 4n)).toBeInstanceOf(Buffer);
  });

  it("answers an unknown operation with ENOSYS, and a name that is missing with an entry without a node", async () => {
    const { device } = start();
    device.send(9999, 4n, Buffer.alloc(0));
    device.send(Opcode.LOOKUP, 6n, Buffer.from("missing\0"));
    expect(await device.answerTo(4n)).toBe(errno.ENOSYS);
    const entry = Buffer.from((await device.answerTo(6n)) as Uint8Array);
    expect([entry.readBigUInt64LE(0), entry.readBigUInt64LE(16)]).toEqual([0n, 1n]);
  });

  it("ends the wait of an interrupted request, also of a resent one, and does not answer INTERRUPT", async () => {
    const { device } = start({ onFlush: (_name, _closing, { signal }) => untilAborted(signal) });
    const handle = await createFile(device, "file");
    const flush = struct(["u64", handle], ["u64", 0n], ["u64", 0n]);
    device.send(Opcode.FLUSH, RESENT | 8n, flush);
    device.send(Opcode.GETATTR, 10n, Buffer.alloc(16));
    await device.answerTo(10n);
    device.send(Opcode.INTERRUPT, 9n, interrupt(RESENT | 8n), 0n);
    expect(await device.answerTo(RESENT | 8n)).toBe(errno.EINTR);
    expect(device.replies.map(({ unique }) => unique)).not.toContain(9n);
  });

  it("goes on after a signal that ends no program, until one comes that does", async () => {
    let looks = 0;
    const isEnding = (): boolean => {
      looks += 1;
      return looks > 2;
    };
    const onFlush: MemoryOptions["onFlush"] = (_name, _closing, { signal }) => untilAborted(signal);
    const { device } = start({ onFlush }, new Buffers(), isEnding);
    const handle = await createFile(device, "file");
    device.send(Opcode.FLUSH, 8n, struct(["u64", handle], ["u64", 0n], ["u64", 0n]));
    device.send(Opcode.GETATTR, 10n, Buffer.alloc(16));
    await device.answerTo(10n);
    device.send(Opcode.INTERRUPT, 9n, interrupt(8n), 0n);
    expect(await device.answerTo(8n)).toBe(errno.EINTR);
    expect(looks).toBe(3);
  });

  it("asks for an INTERRUPT again that overtook its request", async () => {
    const { device } = start();
    device.send(Opcode.INTERRUPT, 9n, interrupt(8n), 0n);
    expect(await device.answerTo(9n)).toBe(errno.EAGAIN);
  });

  it("goes on reading when every buffer waits in a write, and has that write tried again", async () => {
    let goOn = (): void => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const { device } = start({ onWrite: () => held }, new Buffers(3)); // two readers, one write
    const handle = await createFile(device, "file");
    const size = 1024 * 1024;
    for (const unique of [20n, 22n, 24n]) device.send(Opcode.WRITE, unique, write(handle, size));
    device.send(Opcode.INTERRUPT, 25n, interrupt(24n), 0n);
    expect(await device.answerTo(24n)).toBe(errno.EINTR);
    goOn();
    expect(await device.answerTo(20n)).toEqual(struct(["u32", size], ["u32", 0]));
    expect(await device.answerTo(22n)).toBe(errno.EINTR);
    device.send(Opcode.WRITE, 26n, write(handle, size));
    expect(await device.answerTo(26n)).toEqual(struct(["u32", size], ["u32", 0]));
  });

  it("ends what is in progress when it is unmounted, and closes the device last", async () => {
    const { device, session } = start({
      onFlush: (_name, _closing, { signal }) => untilAborted(signal),
    });
    const handle = await createFile(device, "file");
    device.send(Opcode.FLUSH, 8n, struct(["u64", handle], ["u64", 0n], ["u64", 0n]));
    device.send(Opcode.GETATTR, 10n, Buffer.alloc(16));
    await device.answerTo(10n);
    device.unmount();
    await session.closed;
    expect([await device.answerTo(8n), device.isClosed]).toEqual([errno.EINTR, true]);
    await expect(session.negotiated).rejects.toMatchObject({ code: "Io" });
  });
});
