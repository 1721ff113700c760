// Which operation answers which request: decode, call the filesystem, encode. No decision is made here.
//
// ENOSYS is for ever: the kernel remembers it for the life of the connection, also over a take-over, and answers by itself
// from then on. So it is given only where the kernel's own answer is the one that we want; what a later version may want
// to answer gets EOPNOTSUPP, which programs take in the same way.

import { constants } from "node:os";
import { codeOf } from "../base/mod.ts";
import type { Closing, Filesystem, Request } from "../fs/mod.ts";
import type { Ino } from "../model/mod.ts";
import {
  decodeCopyRange,
  decodeCreate,
  decodeFallocate,
  decodeFsyncFlags,
  decodeHandle,
  decodeLink,
  decodeLseek,
  decodeMode,
  decodeName,
  decodeNames,
  decodeOpen,
  decodeRead,
  decodeRename,
  decodeRename2,
  decodeRoom,
  decodeSetattr,
  decodeSetxattr,
  decodeWrite,
} from "./decode.ts";
import {
  encodeAttr,
  encodeCreated,
  encodeDirectory,
  encodeDirectoryOpened,
  encodeDirectoryPlus,
  encodeEntry,
  encodeNames,
  encodeNoEntry,
  encodeOpened,
  encodeRoom,
  encodeSought,
  encodeStatFs,
  encodeWritten,
  fittingPlus,
} from "./encode.ts";
import { FSYNC_DATA_ONLY, Opcode, SEEK_DATA, SEEK_HOLE, Size } from "./layout.ts";

const { errno } = constants;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;

/** What the operations need beside the request. */
export interface Context {
  readonly filesystem: Filesystem;
  /** What is known of thread `pid`, which closes the file `ino`. */
  findClosing(pid: number, ino: Ino): Promise<Closing>;
  /** Whether a signal that ends programs is pending for thread `pid`. */
  isEnding(pid: number): Promise<boolean>;
}

export interface Call {
  readonly request: Request;
  /** The inode that the operation is about; for names, their directory. */
  readonly ino: Ino;
  readonly body: Buffer;
}

/** The payload of the reply, or a positive errno; "written": it has been replied to already. */
export type Answer = Uint8Array | number | "written";
type Operation = (context: Context, call: Call) => Promise<Answer>;

const NOTHING: Uint8Array = new Uint8Array(0);

const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [Opcode.LOOKUP, lookup],
  [Opcode.GETATTR, getattr],
  [Opcode.SETATTR, setattr],
  [Opcode.READLINK, readlink],
  [Opcode.SYMLINK, symlink],
  [Opcode.MKNOD, mknod],
  [Opcode.MKDIR, mkdir],
  [Opcode.UNLINK, unlink],
  [Opcode.RMDIR, rmdir],
  [Opcode.RENAME, rename],
  [Opcode.RENAME2, rename2],
  [Opcode.LINK, link],
  [Opcode.OPEN, open],
  [Opcode.CREATE, create],
  [Opcode.READ, read],
  [Opcode.WRITE, write],
  [Opcode.FLUSH, flush],
  [Opcode.RELEASE, release],
  [Opcode.FSYNC, fsync],
  [Opcode.FALLOCATE, fallocate],
  [Opcode.LSEEK, lseek],
  [Opcode.OPENDIR, opendir],
  [Opcode.READDIR, readdir],
  [Opcode.READDIRPLUS, readdirPlus],
  [Opcode.RELEASEDIR, releasedir],
  [Opcode.FSYNCDIR, fsyncdir],
  [Opcode.STATFS, statfs],
  [Opcode.DESTROY, refuse(0)],
  [Opcode.IOCTL, refuse(errno.ENOTTY)],
  [Opcode.SETXATTR, setxattr],
  [Opcode.GETXATTR, getxattr],
  [Opcode.LISTXATTR, listxattr],
  [Opcode.REMOVEXATTR, removexattr],
  [Opcode.COPY_FILE_RANGE, copyFileRange],
  [Opcode.COPY_FILE_RANGE_64, copyFileRange64],
  [Opcode.TMPFILE, tmpfile],
  [Opcode.SYNCFS, refuse(errno.EOPNOTSUPP)],
  // With default_permissions the kernel checks by itself; it asks with GETATTR when there is no STATX.
  [Opcode.ACCESS, refuse(errno.ENOSYS)],
  [Opcode.STATX, refuse(errno.ENOSYS)],
  [Opcode.POLL, refuse(errno.ENOSYS)],
  [Opcode.BMAP, refuse(errno.ENOSYS)],
]);

/** The operation of an opcode, or undefined when we do not know it. */
export function findOperation(opcode: number): Operation | undefined {
  return OPERATIONS.get(opcode);
}

function refuse(code: number): Operation {
  return () => Promise.resolve(code);
}

async function lookup({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  try {
    return encodeEntry((await filesystem.lookup(request, ino, decodeName(body, 0))).stat);
  } catch (error) {
    // The kernel remembers this one for a moment, and ENOENT not at all: programs ask for many files that are not there.
    if (codeOf(error) === "NotFound") return encodeNoEntry();
    throw error;
  }
}

async function getattr({ filesystem }: Context, { request, ino }: Call): Promise<Answer> {
  return encodeAttr(await filesystem.getattr(request, ino));
}

async function setattr({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  return encodeAttr(await filesystem.setattr(request, ino, decodeSetattr(body)));
}

async function setxattr({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const { name, value } = decodeSetxattr(body);
  await filesystem.setxattr(request, ino, name, value);
  return NOTHING;
}

async function getxattr({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const name = decodeName(body, Size.GETXATTR_IN);
  return intoRoom(await filesystem.getxattr(request, ino, name), decodeRoom(body));
}

async function listxattr({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  return intoRoom(encodeNames(await filesystem.listxattr(request, ino)), decodeRoom(body));
}

async function removexattr({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  await filesystem.removexattr(request, ino, decodeName(body, 0));
  return NOTHING;
}

/** Who has no room asks how much it needs. */
function intoRoom(value: Uint8Array, room: number): Answer {
  if (room === 0) return encodeRoom(value.length);
  return value.length > room ? errno.ERANGE : value;
}

async function readlink({ filesystem }: Context, { request, ino }: Call): Promise<Answer> {
  return Buffer.from(await filesystem.readlink(request, ino));
}

async function symlink({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const [name = NOTHING, target = NOTHING] = decodeNames(body, 0, 2);
  return encodeEntry((await filesystem.symlink(request, ino, name, target)).stat);
}

async function mknod({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const name = decodeName(body, Size.MKNOD_IN);
  return encodeEntry((await filesystem.mknod(request, ino, name, decodeMode(body))).stat);
}

async function mkdir({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const name = decodeName(body, Size.MKDIR_IN);
  return encodeEntry((await filesystem.mkdir(request, ino, name, decodeMode(body))).stat);
}

async function unlink({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  await filesystem.unlink(request, ino, decodeName(body, 0));
  return NOTHING;
}

async function rmdir({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  await filesystem.rmdir(request, ino, decodeName(body, 0));
  return NOTHING;
}

async function rename({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const { from, to, flags } = decodeRename(body, ino);
  await filesystem.rename(request, from, to, flags);
  return NOTHING;
}

async function rename2({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const { from, to, flags } = decodeRename2(body, ino);
  await filesystem.rename(request, from, to, flags);
  return NOTHING;
}

async function open({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const { flags, killPrivileges } = decodeOpen(body);
  if (killPrivileges) await clearPrivileges(filesystem, request, ino);
  return encodeOpened(await filesystem.open(request, ino, flags), flags.write);
}

async function create({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const { name, mode, flags } = decodeCreate(body);
  const { stat, opened } = await filesystem.create(request, ino, name, { mode, flags });
  return encodeCreated(stat, opened, flags.write);
}

/** Its struct is CREATE's; the name in it means nothing. */
async function tmpfile({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const { mode, flags } = decodeCreate(body);
  const { stat, opened } = await filesystem.tmpfile(request, ino, { mode, flags });
  return encodeCreated(stat, opened, flags.write);
}

async function link({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const { target, name } = decodeLink(body);
  return encodeEntry((await filesystem.link(request, target, ino, name)).stat);
}

async function read({ filesystem }: Context, { request, body }: Call): Promise<Answer> {
  const { handle, offset, length } = decodeRead(body);
  return filesystem.read(request, handle, offset, length);
}

async function write({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const { handle, offset, data, killPrivileges } = decodeWrite(body);
  if (killPrivileges) await clearPrivileges(filesystem, request, ino);
  await filesystem.write(request, handle, offset, data);
  return encodeWritten(data.length);
}

async function flush(context: Context, { request, ino, body }: Call): Promise<Answer> {
  const closing = await context.findClosing(request.caller.pid, ino);
  await context.filesystem.flush(request, decodeHandle(body), closing);
  return NOTHING;
}

async function release({ filesystem }: Context, { body }: Call): Promise<Answer> {
  await filesystem.release(decodeHandle(body));
  return NOTHING;
}

async function fsync({ filesystem }: Context, { request, body }: Call): Promise<Answer> {
  const dataOnly = (decodeFsyncFlags(body) & FSYNC_DATA_ONLY) !== 0;
  await filesystem.fsync(request, decodeHandle(body), dataOnly);
  return NOTHING;
}

async function fallocate({ filesystem }: Context, { request, body }: Call): Promise<Answer> {
  const { handle, mode, range } = decodeFallocate(body);
  await filesystem.fallocate(request, handle, mode, range);
  return NOTHING;
}

/** Its reply has 32 bits for the length. */
async function copyFileRange({ filesystem }: Context, { request, body }: Call): Promise<Answer> {
  const { from, to, length } = decodeCopyRange(body);
  const most = Math.min(length, 0xffff_ffff);
  return encodeWritten(await filesystem.copyRange(request, from, to, most));
}

async function copyFileRange64({ filesystem }: Context, { request, body }: Call): Promise<Answer> {
  const { from, to, length } = decodeCopyRange(body);
  return encodeSought(await filesystem.copyRange(request, from, to, length));
}

async function lseek({ filesystem }: Context, { request, ino, body }: Call): Promise<Answer> {
  const { offset, whence } = decodeLseek(body);
  if (whence !== SEEK_DATA && whence !== SEEK_HOLE) return errno.EINVAL;
  const what = whence === SEEK_DATA ? "data" : "hole";
  const found = await filesystem.seek(request, ino, Number(offset), what);
  return found === undefined ? errno.ENXIO : encodeSought(found);
}

async function opendir({ filesystem }: Context, { request, ino }: Call): Promise<Answer> {
  return encodeDirectoryOpened(await filesystem.opendir(request, ino));
}

async function readdir({ filesystem }: Context, { request, body }: Call): Promise<Answer> {
  const { handle, offset: cookie, length } = decodeRead(body);
  return encodeDirectory(await filesystem.readdir(request, handle, cookie), length);
}

async function readdirPlus({ filesystem }: Context, { request, body }: Call): Promise<Answer> {
  const { handle, offset: cookie, length } = decodeRead(body);
  const all = await filesystem.readdir(request, handle, cookie);
  const entries = fittingPlus(all, length);
  return encodeDirectoryPlus(entries, await filesystem.statEntries(request, handle, entries));
}

async function releasedir({ filesystem }: Context, { body }: Call): Promise<Answer> {
  await filesystem.releasedir(decodeHandle(body));
  return NOTHING;
}

async function fsyncdir({ filesystem }: Context, { request, ino }: Call): Promise<Answer> {
  await filesystem.fsyncdir(request, ino);
  return NOTHING;
}

async function statfs({ filesystem }: Context, { request }: Call): Promise<Answer> {
  return encodeStatFs(await filesystem.statfs(request));
}

/** The kernel asks for it with each write of who is not root, so first look whether there is something to clear. */
async function clearPrivileges(filesystem: Filesystem, request: Request, ino: Ino): Promise<void> {
  const { mode } = await filesystem.getattr(request, ino);
  if ((mode & (S_ISUID | S_ISGID)) === 0) return;
  await filesystem.setattr(request, ino, { killPrivileges: true });
}
