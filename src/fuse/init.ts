// INIT: what the kernel offers and what we take of it. Pure.

import { KodomountError } from "../base/mod.ts";
import { InitFlag, Size, WRITE_SIZE_MAX } from "./layout.ts";

const MAJOR = 7;
/** Below 7.31 (Linux 5.4) structs are shorter, and programs would be cut to 128 KiB a request. */
const MINOR_MIN = 31;
/** The layouts in this folder are those of 7.45; a newer kernel speaks the version that we answer with. */
const MINOR_MAX = 45;
const PAGE_SIZE = 4096;

/**
 * Not asked for, each for a reason: WRITEBACK_CACHE (pages would come in any order and without their writer), locks (they
 * work in the kernel), NO_OPEN_SUPPORT (we need handles), POSIX_ACL, DONT_MASK, EXPORT_SUPPORT.
 */
const WANTED: bigint = Object.values(InitFlag).reduce((all, bit) => all | (1n << BigInt(bit)), 0n);

/** Requests of the kernel itself (read-ahead, write-back, releases) under way at once; its default is 12. */
export const BACKGROUND_MAX = 64;
const CONGESTION_AT = 48;

export interface InitRequest {
  readonly major: number;
  readonly minor: number;
  readonly readaheadSizeMax: number;
  readonly flags: bigint;
}

/** What was agreed. It holds as long as the connection does, and the kernel never tells it again. */
export interface Negotiated {
  readonly minor: number;
  readonly readaheadSizeMax: number;
  readonly writeSizeMax: number;
  readonly backgroundMax: number;
  readonly flags: bigint;
}

/** fuse_init_in */
export function decodeInit(body: Buffer): InitRequest {
  const flags = BigInt(body.readUInt32LE(12));
  const isExtended = (flags & bit(InitFlag.INIT_EXT)) !== 0n && body.length >= 20;
  return {
    major: body.readUInt32LE(0),
    minor: body.readUInt32LE(4),
    readaheadSizeMax: body.readUInt32LE(8),
    flags: isExtended ? flags | (BigInt(body.readUInt32LE(16)) << 32n) : flags,
  };
}

/** @throws `Config` when the kernel is too old. */
export function negotiate(offer: InitRequest): Negotiated {
  if (offer.major !== MAJOR || offer.minor < MINOR_MIN)
    throw new KodomountError(
      "Config",
      `This kernel speaks FUSE ${offer.major}.${offer.minor}: kodomount needs 7.${MINOR_MIN} or newer (Linux 5.4)`,
    );
  return {
    minor: Math.min(offer.minor, MINOR_MAX),
    readaheadSizeMax: offer.readaheadSizeMax,
    writeSizeMax: WRITE_SIZE_MAX,
    backgroundMax: BACKGROUND_MAX,
    flags: offer.flags & WANTED,
  };
}

/** fuse_init_out */
export function encodeInit(negotiated: Negotiated): Buffer {
  const reply = Buffer.alloc(Size.INIT_OUT);
  reply.writeUInt32LE(MAJOR, 0);
  reply.writeUInt32LE(negotiated.minor, 4);
  reply.writeUInt32LE(negotiated.readaheadSizeMax, 8);
  reply.writeUInt32LE(Number(negotiated.flags & 0xffffffffn), 12);
  reply.writeUInt16LE(negotiated.backgroundMax, 16);
  reply.writeUInt16LE(CONGESTION_AT, 18);
  reply.writeUInt32LE(negotiated.writeSizeMax, 20);
  reply.writeUInt32LE(1, 24); // times are kept to the nanosecond, as far as we are concerned
  reply.writeUInt16LE(negotiated.writeSizeMax / PAGE_SIZE, 28);
  reply.writeUInt32LE(Number(negotiated.flags >> 32n), 32);
  return reply;
}

function bit(index: number): bigint {
  return 1n << BigInt(index);
}
