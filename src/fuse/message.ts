// One request as it was read from the device: the header, and the body still as bytes.

import { KodomountError } from "../base/mod.ts";
import { type Ino, toIno } from "../model/mod.ts";
import { Size, UNIQUE_RESENT } from "./layout.ts";

export interface Header {
  readonly opcode: number;
  /** As it came, 64 bits: the reply repeats it. */
  readonly unique: bigint;
  readonly ino: Ino;
  readonly uid: number;
  readonly gid: number;
  /** A thread id; 0 when the kernel itself asks, or a process that we cannot see. */
  readonly pid: number;
}

export interface Message {
  readonly header: Header;
  readonly body: Buffer;
}

/**
 * The request in the first `length` bytes of `buffer`; its body is a view of them.
 * @throws `Programmer` when the kernel says another length than it gave.
 */
export function parseMessage(buffer: Buffer, length: number): Message {
  if (length < Size.IN_HEADER || buffer.readUInt32LE(0) !== length)
    throw new KodomountError("Programmer", `A FUSE request of ${length} bytes is torn`);
  return {
    header: {
      opcode: buffer.readUInt32LE(4),
      unique: buffer.readBigUInt64LE(8),
      ino: toIno(readU64(buffer, 16)),
      uid: buffer.readUInt32LE(24),
      gid: buffer.readUInt32LE(28),
      pid: buffer.readUInt32LE(32),
    },
    body: buffer.subarray(Size.IN_HEADER, length),
  };
}

/** The number of a request by which its repetition and its INTERRUPT know it. */
export function originalUnique(unique: bigint): bigint {
  return unique & ~UNIQUE_RESENT;
}

export function isResent(unique: bigint): boolean {
  return (unique & UNIQUE_RESENT) !== 0n;
}

/**
 * An unsigned 64-bit number.
 * @throws `TooLarge` from 2^53 on: our own numbers are below, so it is an offset or size that nobody can store.
 */
export function readU64(buffer: Buffer, at: number): number {
  const value = buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32;
  if (value > Number.MAX_SAFE_INTEGER)
    throw new KodomountError("TooLarge", `No file can reach to byte ${buffer.readBigUInt64LE(at)}`);
  return value;
}
