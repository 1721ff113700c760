// Bodies of requests as values. Pure; each function names the struct that it reads. A body that is too short throws
// RangeError, which becomes EIO: the kernel does not send such.

import { constants } from "node:fs";
import { KodomountError } from "../base/mod.ts";
import type { AttributeChanges, OpenFlags, XattrValue } from "../fs/mod.ts";
import { type HandleId, type Ino, toHandleId, toIno } from "../model/mod.ts";
import {
  Fattr,
  OPEN_KILL_SUIDGID,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  Size,
  WRITE_KILL_SUIDGID,
  XATTR_CREATE,
  XATTR_REPLACE,
} from "./layout.ts";
import { readU64 } from "./message.ts";

/** The `count` strings from `at` on, each ended by a NUL, as the bytes they are. */
export function decodeNames(body: Buffer, at: number, count: number): Buffer[] {
  const names: Buffer[] = [];
  for (let start = at; names.length < count; ) {
    const end = body.indexOf(0, start);
    if (end < 0) throw new RangeError("A name in a FUSE request has no end");
    names.push(body.subarray(start, end));
    start = end + 1;
  }
  return names;
}

/** The only name of a request, behind `at` bytes of its struct. */
export function decodeName(body: Buffer, at: number): Buffer {
  const [name] = decodeNames(body, at, 1);
  return name ?? Buffer.alloc(0);
}

/** fuse_link_in: the new name for inode `target`. */
export function decodeLink(body: Buffer): { target: Ino; name: Buffer } {
  return { target: toIno(readU64(body, 0)), name: decodeName(body, Size.LINK_IN) };
}

/** fuse_forget_in */
export function decodeForget(body: Buffer): number {
  return readU64(body, 0);
}

/** fuse_batch_forget_in and its fuse_forget_one. */
export function decodeBatchForget(body: Buffer): { ino: Ino; count: number }[] {
  const count = body.readUInt32LE(0);
  return Array.from({ length: count }, (_, index) => {
    const at = Size.BATCH_FORGET_IN + index * Size.FORGET_ONE;
    return { ino: toIno(readU64(body, at)), count: readU64(body, at + 8) };
  });
}

/** fuse_setattr_in */
export function decodeSetattr(body: Buffer): AttributeChanges {
  const valid = body.readUInt32LE(0);
  const has = (flag: number): boolean => (valid & flag) !== 0;
  return {
    mode: has(Fattr.MODE) ? body.readUInt32LE(68) : undefined,
    uid: has(Fattr.UID) ? body.readUInt32LE(76) : undefined,
    gid: has(Fattr.GID) ? body.readUInt32LE(80) : undefined,
    size: has(Fattr.SIZE) ? readU64(body, 16) : undefined,
    // The kernel sets ATIME together with ATIME_NOW.
    atimeMs: has(Fattr.ATIME_NOW) ? "now" : has(Fattr.ATIME) ? readTime(body, 32, 56) : undefined,
    mtimeMs: has(Fattr.MTIME_NOW) ? "now" : has(Fattr.MTIME) ? readTime(body, 40, 60) : undefined,
    killPrivileges: has(Fattr.KILL_SUIDGID),
  };
}

/** fuse_setxattr_in, without what FUSE_SETXATTR_EXT adds, then the name and the value. */
export function decodeSetxattr(body: Buffer): { name: Buffer; value: XattrValue } {
  const size = body.readUInt32LE(0);
  const flags = body.readUInt32LE(4);
  const name = decodeName(body, Size.SETXATTR_IN);
  const at = Size.SETXATTR_IN + name.length + 1;
  if (body.length < at + size) throw new RangeError("A FUSE setxattr is torn");
  const mode = flags & XATTR_CREATE ? "create" : flags & XATTR_REPLACE ? "replace" : "set";
  return { name, value: { bytes: body.subarray(at, at + size), mode } };
}

/** fuse_getxattr_in, also of LISTXATTR: the room that the caller has, 0 when it only asks how much it needs. */
export function decodeRoom(body: Buffer): number {
  return body.readUInt32LE(0);
}

/** fuse_mknod_in, fuse_mkdir_in: both begin with the mode, umask already applied. */
export function decodeMode(body: Buffer): number {
  return body.readUInt32LE(0);
}

interface Place {
  readonly parent: Ino;
  readonly name: Buffer;
}

export interface Rename {
  readonly from: Place;
  readonly to: Place;
  readonly flags: { noReplace: boolean; exchange: boolean };
}

/** fuse_rename_in of directory `parent`. */
export function decodeRename(body: Buffer, parent: Ino): Rename {
  return renameOf(body, parent, { at: Size.RENAME_IN, flags: 0 });
}

/** fuse_rename2_in of directory `parent`. @throws `Invalid` for RENAME_WHITEOUT and what is not known yet. */
export function decodeRename2(body: Buffer, parent: Ino): Rename {
  const flags = body.readUInt32LE(8);
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0)
    throw new KodomountError("Invalid", `Renaming with flags ${flags} is not known here`);
  return renameOf(body, parent, { at: Size.RENAME2_IN, flags });
}

function renameOf(body: Buffer, parent: Ino, { at, flags }: { at: number; flags: number }): Rename {
  const [from = Buffer.alloc(0), to = Buffer.alloc(0)] = decodeNames(body, at, 2);
  return {
    from: { parent, name: from },
    to: { parent: toIno(readU64(body, 0)), name: to },
    flags: {
      noReplace: (flags & RENAME_NOREPLACE) !== 0,
      exchange: (flags & RENAME_EXCHANGE) !== 0,
    },
  };
}

export interface Open {
  readonly flags: OpenFlags;
  readonly killPrivileges: boolean;
}

/** fuse_open_in */
export function decodeOpen(body: Buffer): Open {
  return {
    flags: decodeOpenFlags(body.readUInt32LE(0)),
    killPrivileges: (body.readUInt32LE(4) & OPEN_KILL_SUIDGID) !== 0,
  };
}

/**
 * fuse_create_in and the name behind it. Its KILL_SUIDGID is for a file that somebody else has made in the meantime; a new
 * one keeps the bits that its creator asked for. The flag comes for both, so it is left alone.
 */
export function decodeCreate(body: Buffer): { name: Buffer; mode: number; flags: OpenFlags } {
  return {
    name: decodeName(body, Size.CREATE_IN),
    mode: body.readUInt32LE(4),
    flags: decodeOpenFlags(body.readUInt32LE(0)),
  };
}

/** The flags of open(2). */
function decodeOpenFlags(flags: number): OpenFlags {
  const access = flags & (constants.O_WRONLY | constants.O_RDWR);
  return {
    read: access !== constants.O_WRONLY,
    write: access !== constants.O_RDONLY,
    append: (flags & constants.O_APPEND) !== 0,
    truncate: (flags & constants.O_TRUNC) !== 0,
    exclusive: (flags & constants.O_EXCL) !== 0,
  };
}

/** The handle: first in the structs of READ, WRITE, RELEASE, FLUSH, FSYNC, FALLOCATE, LSEEK. */
export function decodeHandle(body: Buffer): HandleId {
  return toHandleId(readU64(body, 0));
}

/** fuse_read_in; READDIR's `offset` is the cookie. */
export function decodeRead(body: Buffer): { handle: HandleId; offset: number; length: number } {
  return {
    handle: decodeHandle(body),
    offset: readU64(body, 8),
    length: body.readUInt32LE(16),
  };
}

export interface Write {
  readonly handle: HandleId;
  readonly offset: number;
  /** A view of the body. */
  readonly data: Buffer;
  readonly killPrivileges: boolean;
}

/** fuse_write_in and the bytes behind it. */
export function decodeWrite(body: Buffer): Write {
  const size = body.readUInt32LE(16);
  if (body.length !== Size.WRITE_IN + size) throw new RangeError("A FUSE write is torn");
  return {
    handle: decodeHandle(body),
    offset: readU64(body, 8),
    data: body.subarray(Size.WRITE_IN),
    killPrivileges: (decodeWriteFlags(body) & WRITE_KILL_SUIDGID) !== 0,
  };
}

/** `write_flags` of fuse_write_in. */
export function decodeWriteFlags(body: Buffer): number {
  return body.readUInt32LE(20);
}

/** `fsync_flags` of fuse_fsync_in. */
export function decodeFsyncFlags(body: Buffer): number {
  return body.readUInt32LE(8);
}

/** fuse_fallocate_in */
export function decodeFallocate(body: Buffer): {
  handle: HandleId;
  mode: number;
  range: { offset: number; length: number };
} {
  return {
    handle: decodeHandle(body),
    mode: body.readUInt32LE(24),
    range: { offset: readU64(body, 8), length: readU64(body, 16) },
  };
}

/** fuse_copy_file_range_in. Flags have no meaning yet. */
export function decodeCopyRange(body: Buffer): {
  from: { handle: HandleId; offset: number };
  to: { handle: HandleId; offset: number };
  length: number;
} {
  return {
    from: { handle: decodeHandle(body), offset: readU64(body, 8) },
    to: { handle: toHandleId(readU64(body, 24)), offset: readU64(body, 32) },
    // "As much as there is" may be any number.
    length: Number(body.readBigUInt64LE(40)),
  };
}

/** fuse_lseek_in. The offset is signed here, and not yet checked by the kernel. */
export function decodeLseek(body: Buffer): { offset: bigint; whence: number } {
  return { offset: body.readBigInt64LE(8), whence: body.readUInt32LE(16) };
}

/** fuse_interrupt_in: the `unique` of the request whose caller has got a signal. */
export function decodeInterrupt(body: Buffer): bigint {
  return body.readBigUInt64LE(0);
}

/** Seconds (signed) and nanoseconds at their places in fuse_setattr_in. */
function readTime(body: Buffer, secondsAt: number, nanosecondsAt: number): number {
  return Number(body.readBigInt64LE(secondsAt)) * 1000 + body.readUInt32LE(nanosecondsAt) / 1e6;
}
