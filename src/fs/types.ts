// The filesystem in the kernel's words, without FUSE. Transports translate requests to these calls and nothing more.

import type { DirectReply, ListedFile } from "../load/mod.ts";
import type { Attributes, HandleId, Ino } from "../model/mod.ts";

/** How a closing task is: `live` calls close(2), `exited` and `killed` are in exit, `unknown` could not be looked at. */
export type End = "live" | "exited" | "killed" | "unknown";

export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** Thread id of the caller, 0 when the kernel itself asks. */
  readonly pid: number;
}

export interface Request {
  /** Decimal, without the resend bit. */
  readonly unique: string;
  /** The kernel asks again after a take-over: a namespace change may have been done already. */
  readonly resent: boolean;
  readonly caller: Caller;
  /** Aborts when the kernel sends INTERRUPT for this request: answer `Interrupted` at once. */
  readonly signal: AbortSignal;
  /** Of READ: where the bytes may be written by whoever has them; then the answer is "written". */
  readonly direct?: DirectReply;
}

/** What is known of the closing task, looked up by the transport before FLUSH is handed on. */
export interface Closing {
  readonly end: End;
  /** Thread group of the caller; undefined when /proc does not tell. */
  readonly tgid: number | undefined;
  /** Whether that process still holds another descriptor of the file; undefined when /proc does not tell. */
  readonly heldElsewhere: boolean | undefined;
}

/** `struct stat` as far as we keep it. */
export interface Stat extends Attributes {
  readonly ino: Ino;
  readonly size: number;
  readonly nlink: number;
  readonly ctimeMs: number;
  readonly atimeMs: number;
}

export interface Entry {
  readonly stat: Stat;
}

export interface Opened {
  readonly handle: HandleId;
  /** `direct`: bypass the page cache (writers). `keep`: cached pages of the last open are still right. */
  readonly cache: "direct" | "fresh" | "keep";
}

export interface DirectoryEntry {
  readonly name: string;
  readonly ino: Ino;
  /** `S_IFMT` bits, 0 when unknown. */
  readonly type: number;
  /** Where a later READDIR goes on after this entry. */
  readonly cookie: number;
  /** What the listing told of it, for `statEntries`. */
  readonly file?: ListedFile;
}

/** What SETATTR asks for; absent fields stay. */
export interface AttributeChanges {
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly size?: number | undefined;
  readonly atimeMs?: number | "now" | undefined;
  readonly mtimeMs?: number | "now" | undefined;
  /** Clear setuid and setgid, which FUSE_HANDLE_KILLPRIV_V2 leaves to us. */
  readonly killPrivileges?: boolean | undefined;
}

/** What SETXATTR gives. `create`: it must not be there yet; `replace`: it must be. */
export interface XattrValue {
  readonly bytes: Uint8Array;
  readonly mode: "set" | "create" | "replace";
}

export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  readonly truncate: boolean;
  readonly exclusive: boolean;
}

export interface StatFs {
  readonly blocks: number;
  readonly blocksFree: number;
  readonly blockSize: number;
  readonly files: number;
  readonly filesFree: number;
  readonly nameSizeMax: number;
}

/**
 * One method an operation. Errors are `KodomountError`s; `errnoFor` in `errno.ts` makes an errno of them. Names are bytes
 * as the kernel sent them. Only `flush`, `fsync`, `write` and `read` wait for the network as long as it takes; `lookup`,
 * `getattr`, `open` and `readdir` ask the store with a deadline.
 */
export interface Filesystem {
  lookup(request: Request, parent: Ino, name: Uint8Array): Promise<Entry>;
  /** The kernel dropped `count` references. */
  forget(ino: Ino, count: number): void;
  getattr(request: Request, ino: Ino): Promise<Stat>;
  setattr(request: Request, ino: Ino, changes: AttributeChanges): Promise<Stat>;
  /** Of extended attributes those of users are kept; others are `NotSupported`, absent ones `NoAttribute`. */
  setxattr(request: Request, ino: Ino, name: Uint8Array, value: XattrValue): Promise<void>;
  getxattr(request: Request, ino: Ino, name: Uint8Array): Promise<Uint8Array>;
  listxattr(request: Request, ino: Ino): Promise<readonly string[]>;
  removexattr(request: Request, ino: Ino, name: Uint8Array): Promise<void>;
  readlink(request: Request, ino: Ino): Promise<string>;
  symlink(request: Request, parent: Ino, name: Uint8Array, target: Uint8Array): Promise<Entry>;
  mkdir(request: Request, parent: Ino, name: Uint8Array, mode: number): Promise<Entry>;
  /** Regular files, and pipes and sockets, which are of this mount only; devices are `NotPermitted`. */
  mknod(request: Request, parent: Ino, name: Uint8Array, mode: number): Promise<Entry>;
  unlink(request: Request, parent: Ino, name: Uint8Array): Promise<void>;
  rmdir(request: Request, parent: Ino, name: Uint8Array): Promise<void>;
  rename(
    request: Request,
    from: { parent: Ino; name: Uint8Array },
    to: { parent: Ino; name: Uint8Array },
    flags: { noReplace: boolean; exchange: boolean },
  ): Promise<void>;
  create(
    request: Request,
    parent: Ino,
    name: Uint8Array,
    options: { mode: number; flags: OpenFlags },
  ): Promise<Entry & { opened: Opened }>;
  /** A file without a name in `parent`'s filesystem; `exclusive`: it will never get one. */
  tmpfile(
    request: Request,
    parent: Ino,
    options: { mode: number; flags: OpenFlags },
  ): Promise<Entry & { opened: Opened }>;
  /** Gives a name to what `tmpfile` has made; for anything else `NotPermitted`. */
  link(request: Request, ino: Ino, parent: Ino, name: Uint8Array): Promise<Entry>;
  open(request: Request, ino: Ino, flags: OpenFlags): Promise<Opened>;
  /** At most `length` bytes; fewer only at the end of the file. "written": they are where `request.direct` says. */
  read(
    request: Request,
    handle: HandleId,
    offset: number,
    length: number,
  ): Promise<Uint8Array | "written">;
  /** All of `data` or an error. `data` is only valid until the promise settles. */
  write(request: Request, handle: HandleId, offset: number, data: Uint8Array): Promise<void>;
  /** One close(2) of one descriptor, or the exit of a process that held one. */
  flush(request: Request, handle: HandleId, closing: Closing): Promise<void>;
  /** The last reference to the handle is gone. Errors reach nobody. */
  release(handle: HandleId): Promise<void>;
  fsync(request: Request, handle: HandleId, dataOnly: boolean): Promise<void>;
  /** Allocates nothing: it extends (mode 0) or zeros (3, 16, 17); mode 1 does nothing. Others are `NotSupported`. */
  fallocate(
    request: Request,
    handle: HandleId,
    mode: number,
    range: { offset: number; length: number },
  ): Promise<void>;
  /** Copies without moving bytes through here, as many as it says; `NotSupported`: the caller reads and writes. */
  copyRange(
    request: Request,
    from: { handle: HandleId; offset: number },
    to: { handle: HandleId; offset: number },
    length: number,
  ): Promise<number>;
  /** Where data, or a hole, begins at or behind `offset`; undefined: not before the end, or beyond it. */
  seek(
    request: Request,
    ino: Ino,
    offset: number,
    what: "data" | "hole",
  ): Promise<number | undefined>;
  opendir(request: Request, ino: Ino): Promise<HandleId>;
  /** Entries after `cookie` (0: from the start, with `.` and `..`), as many as the caller likes to take. */
  readdir(request: Request, handle: HandleId, cookie: number): Promise<readonly DirectoryEntry[]>;
  /** Of entries that `readdir` gave, what is known without a request for each: every one that is given counts as a lookup. */
  statEntries(
    request: Request,
    handle: HandleId,
    entries: readonly DirectoryEntry[],
  ): Promise<readonly (Stat | undefined)[]>;
  releasedir(handle: HandleId): Promise<void>;
  fsyncdir(request: Request, ino: Ino): Promise<void>;
  statfs(request: Request): Promise<StatFs>;
}
