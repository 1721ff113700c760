// Replies as bytes. Pure; each function names the struct that it makes.

import type { DirectoryEntry, Opened, Stat, StatFs } from "../fs/mod.ts";
import { type HandleId, type Ino, S_IFMT } from "../model/mod.ts";
import { Fopen, Size } from "./layout.ts";

/** How long the kernel may believe names and attributes without asking. */
const VALID_SECONDS = 1;
/** `st_blksize`: programs that copy take it as the size of their buffer, and one buffer becomes one request. */
const BLOCK_SIZE = 1024 * 1024;
/** The unit of `st_blocks`, whatever the block size is. */
const SECTOR_SIZE = 512;

/** fuse_out_header. @param errno positive, 0 for success. */
export function encodeHeader(unique: bigint, errno: number, payloadLength: number): Buffer {
  const header = Buffer.alloc(Size.OUT_HEADER);
  header.writeUInt32LE(Size.OUT_HEADER + payloadLength, 0);
  header.writeInt32LE(-errno, 4);
  header.writeBigUInt64LE(unique, 8);
  return header;
}

/** fuse_attr_out */
export function encodeAttr(stat: Stat): Buffer {
  const reply = Buffer.alloc(Size.ATTR_OUT);
  writeU64(reply, VALID_SECONDS, 0);
  writeAttr(reply, 16, stat);
  return reply;
}

/** fuse_entry_out */
export function encodeEntry(stat: Stat): Buffer {
  const reply = Buffer.alloc(Size.ENTRY_OUT);
  writeEntry(reply, stat);
  return reply;
}

/** fuse_entry_out that says, for as long as an entry is believed: there is nothing of that name. */
export function encodeNoEntry(): Buffer {
  const reply = Buffer.alloc(Size.ENTRY_OUT);
  writeU64(reply, VALID_SECONDS, 16);
  return reply;
}

/** fuse_entry_out followed by fuse_open_out: the reply to CREATE. */
export function encodeCreated(stat: Stat, opened: Opened, writes: boolean): Buffer {
  const reply = Buffer.alloc(Size.ENTRY_OUT + Size.OPEN_OUT);
  writeEntry(reply, stat);
  writeOpen(reply, Size.ENTRY_OUT, opened.handle, openFlags(opened, writes));
  return reply;
}

/** fuse_open_out */
export function encodeOpened(opened: Opened, writes: boolean): Buffer {
  const reply = Buffer.alloc(Size.OPEN_OUT);
  writeOpen(reply, 0, opened.handle, openFlags(opened, writes));
  return reply;
}

/** fuse_open_out of a directory. */
export function encodeDirectoryOpened(handle: HandleId): Buffer {
  const reply = Buffer.alloc(Size.OPEN_OUT);
  writeOpen(reply, 0, handle, 0);
  return reply;
}

/** fuse_write_out */
export function encodeWritten(size: number): Buffer {
  const reply = Buffer.alloc(Size.WRITE_OUT);
  reply.writeUInt32LE(size, 0);
  return reply;
}

/** fuse_lseek_out */
export function encodeSought(offset: number): Buffer {
  const reply = Buffer.alloc(Size.LSEEK_OUT);
  writeU64(reply, offset, 0);
  return reply;
}

/** fuse_getxattr_out: how much room the answer needs. */
export function encodeRoom(size: number): Buffer {
  const reply = Buffer.alloc(Size.GETXATTR_OUT);
  reply.writeUInt32LE(size, 0);
  return reply;
}

/** Names, each ended by a NUL. */
export function encodeNames(names: readonly string[]): Buffer {
  return Buffer.from(names.map((name) => `${name}\0`).join(""));
}

/** fuse_statfs_out */
export function encodeStatFs(stat: StatFs): Buffer {
  const reply = Buffer.alloc(Size.STATFS_OUT);
  writeU64(reply, stat.blocks, 0);
  writeU64(reply, stat.blocksFree, 8);
  writeU64(reply, stat.blocksFree, 16); // for users other than root: nothing is kept back
  writeU64(reply, stat.files, 24);
  writeU64(reply, stat.filesFree, 32);
  reply.writeUInt32LE(stat.blockSize, 40);
  reply.writeUInt32LE(stat.nameSizeMax, 44);
  reply.writeUInt32LE(stat.blockSize, 48);
  return reply;
}

/** As many fuse_dirent as fit into `sizeMax` bytes, in order. */
export function encodeDirectory(entries: readonly DirectoryEntry[], sizeMax: number): Buffer {
  const reply = Buffer.alloc(Math.min(sizeMax, boundOf(entries)));
  let at = 0;
  for (const entry of entries) {
    const end = at + align8(Size.DIRENT + Buffer.byteLength(entry.name));
    if (end > sizeMax) break;
    writeDirent(reply, at, entry);
    at = end;
  }
  return reply.subarray(0, at);
}

/** As many of `entries` as fit into `sizeMax` bytes with their attributes. */
export function fittingPlus(
  entries: readonly DirectoryEntry[],
  sizeMax: number,
): readonly DirectoryEntry[] {
  let room = sizeMax;
  const end = entries.findIndex((entry) => {
    room -= plusSizeOf(entry);
    return room < 0;
  });
  return end === -1 ? entries : entries.slice(0, end);
}

/** fuse_direntplus of each entry; without a stat it has node 0, and the kernel asks for it when somebody needs it. */
export function encodeDirectoryPlus(
  entries: readonly DirectoryEntry[],
  stats: readonly (Stat | undefined)[],
): Buffer {
  const reply = Buffer.alloc(entries.reduce((sum, entry) => sum + plusSizeOf(entry), 0));
  let at = 0;
  entries.forEach((entry, index) => {
    const stat = stats[index];
    if (stat !== undefined) writeEntry(reply.subarray(at), stat);
    writeDirent(
      reply,
      at + Size.ENTRY_OUT,
      stat === undefined ? entry : { ...entry, ...typeOf(stat) },
    );
    at += plusSizeOf(entry);
  });
  return reply;
}

function typeOf({ ino, mode }: Stat): { ino: Ino; type: number } {
  return { ino, type: mode & S_IFMT };
}

function plusSizeOf({ name }: DirectoryEntry): number {
  return align8(Size.ENTRY_OUT + Size.DIRENT + Buffer.byteLength(name));
}

/** fuse_dirent */
function writeDirent(reply: Buffer, at: number, { ino, cookie, name, type }: DirectoryEntry): void {
  writeU64(reply, ino, at);
  writeU64(reply, cookie, at + 8);
  reply.writeUInt32LE(Buffer.byteLength(name), at + 16);
  reply.writeUInt32LE(type >>> 12, at + 20); // S_IFMT bits to DT_*
  reply.write(name, at + Size.DIRENT);
}

/** At least what `entries` take: a name of n UTF-16 units has at most 3n bytes. */
function boundOf(entries: readonly DirectoryEntry[]): number {
  return entries.reduce((sum, entry) => sum + align8(Size.DIRENT + 3 * entry.name.length), 0);
}

function align8(length: number): number {
  return (length + 7) & ~7;
}

function openFlags(opened: Opened, writes: boolean): number {
  // A FLUSH of who cannot have written tells nothing: spare each close of a reader the way to us.
  return cacheFlags(opened.cache) | (writes ? 0 : Fopen.NOFLUSH);
}

function cacheFlags(cache: Opened["cache"]): number {
  switch (cache) {
    case "direct":
      return Fopen.DIRECT_IO;
    case "keep":
      return Fopen.KEEP_CACHE;
    case "fresh":
      return 0;
  }
}

function writeOpen(reply: Buffer, at: number, handle: HandleId, flags: number): void {
  writeU64(reply, handle, at);
  reply.writeUInt32LE(flags, at + 8);
}

function writeEntry(reply: Buffer, stat: Stat): void {
  writeU64(reply, stat.ino, 0);
  writeU64(reply, 0, 8); // generation: our numbers are never given twice
  writeU64(reply, VALID_SECONDS, 16);
  writeU64(reply, VALID_SECONDS, 24);
  writeAttr(reply, 40, stat);
}

/** fuse_attr */
function writeAttr(reply: Buffer, at: number, stat: Stat): void {
  writeU64(reply, stat.ino, at);
  writeU64(reply, stat.size, at + 8);
  writeU64(reply, Math.ceil(stat.size / SECTOR_SIZE), at + 16);
  writeTime(reply, stat.atimeMs, { secondsAt: at + 24, nanosecondsAt: at + 48 });
  writeTime(reply, stat.mtimeMs, { secondsAt: at + 32, nanosecondsAt: at + 52 });
  writeTime(reply, stat.ctimeMs, { secondsAt: at + 40, nanosecondsAt: at + 56 });
  reply.writeUInt32LE(stat.mode, at + 60);
  reply.writeUInt32LE(stat.nlink, at + 64);
  reply.writeUInt32LE(stat.uid, at + 68);
  reply.writeUInt32LE(stat.gid, at + 72);
  reply.writeUInt32LE(0, at + 76); // rdev: there are no devices
  reply.writeUInt32LE(BLOCK_SIZE, at + 80);
}

/** Seconds are signed: times before 1970 exist. */
function writeTime(
  reply: Buffer,
  ms: number,
  { secondsAt, nanosecondsAt }: { secondsAt: number; nanosecondsAt: number },
): void {
  const whole = Math.floor(ms / 1000);
  // Somebody may set any time: what a double does not hold to the second is cut.
  const seconds = Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, whole));
  const nanoseconds = Math.min(999_999_999, Math.round((ms - whole * 1000) * 1e6));
  reply.writeBigInt64LE(BigInt(seconds), secondsAt);
  reply.writeUInt32LE(nanoseconds, nanosecondsAt);
}

function writeU64(reply: Buffer, value: number, at: number): void {
  reply.writeUInt32LE(value % 2 ** 32, at);
  reply.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}
