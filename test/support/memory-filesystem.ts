// A small filesystem in memory, for tests of transports: does what a local disk does, and lets a test hold up a FLUSH or
// drop the bytes of writes.

import { KodomountError, systemClock } from "../../src/base/mod.ts";
import type {
  AttributeChanges,
  Closing,
  DirectoryEntry,
  Entry,
  Filesystem,
  Opened,
  OpenFlags,
  Request,
  Stat,
  StatFs,
} from "../../src/fs/mod.ts";
import {
  type HandleId,
  type Ino,
  ROOT_INO,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  toHandleId,
  toIno,
} from "../../src/model/mod.ts";

interface Node {
  readonly ino: Ino;
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  nlink: number;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  data: Buffer;
  readonly children: Map<string, Node>;
}

interface Handle {
  readonly node: Node;
  readonly name: string;
  readonly flags: OpenFlags;
}

export interface MemoryOptions {
  /** Sizes are kept, bytes are not: to measure what is above. */
  readonly sink?: boolean;
  /** Called with each FLUSH; it is answered when the promise settles. */
  readonly onFlush?: (name: string, closing: Closing, request: Request) => Promise<void>;
  readonly onWrite?: (name: string, request: Request, length: number) => Promise<void>;
  readonly onRelease?: (name: string) => void;
  readonly onGetxattr?: (name: string) => void;
  readonly cache?: Opened["cache"];
}

export class MemoryFilesystem implements Filesystem {
  readonly #options: MemoryOptions;
  readonly #nodes = new Map<Ino, Node>();
  readonly #handles = new Map<HandleId, Handle>();
  #next = ROOT_INO + 1;

  constructor(options: MemoryOptions = {}) {
    this.#options = options;
    this.#add(ROOT_INO, S_IFDIR | 0o755, { uid: 0, gid: 0 });
  }

  get openHandles(): number {
    return this.#handles.size;
  }

  async lookup(_request: Request, parent: Ino, name: Uint8Array): Promise<Entry> {
    return { stat: statOf(child(this.#node(parent), text(name))) };
  }

  forget(): void {}

  async getattr(_request: Request, ino: Ino): Promise<Stat> {
    return statOf(this.#node(ino));
  }

  async setattr(_request: Request, ino: Ino, changes: AttributeChanges): Promise<Stat> {
    const node = this.#node(ino);
    const now = systemClock.now();
    if (changes.size !== undefined) this.#resize(node, changes.size);
    if (changes.mode !== undefined) node.mode = (node.mode & S_IFMT) | (changes.mode & 0o7777);
    if (changes.killPrivileges) node.mode &= ~0o6000;
    node.uid = changes.uid ?? node.uid;
    node.gid = changes.gid ?? node.gid;
    if (changes.atimeMs !== undefined)
      node.atimeMs = changes.atimeMs === "now" ? now : changes.atimeMs;
    if (changes.mtimeMs !== undefined)
      node.mtimeMs = changes.mtimeMs === "now" ? now : changes.mtimeMs;
    node.ctimeMs = now;
    return statOf(node);
  }

  async setxattr(): Promise<void> {
    throw new KodomountError("NotSupported", "No extended attributes here");
  }

  async getxattr(_request: Request, _ino: Ino, name: Uint8Array): Promise<Uint8Array> {
    this.#options.onGetxattr?.(text(name));
    throw new KodomountError("NotSupported", "No extended attributes here");
  }

  async listxattr(): Promise<string[]> {
    return [];
  }

  async removexattr(): Promise<void> {
    throw new KodomountError("NotSupported", "No extended attributes here");
  }

  async readlink(_request: Request, ino: Ino): Promise<string> {
    return this.#node(ino).data.toString();
  }

  async symlink(
    request: Request,
    parent: Ino,
    name: Uint8Array,
    target: Uint8Array,
  ): Promise<Entry> {
    const node = this.#make(request, parent, name, S_IFLNK | 0o777);
    node.data = Buffer.from(target);
    node.size = target.length;
    return { stat: statOf(node) };
  }

  async mkdir(request: Request, parent: Ino, name: Uint8Array, mode: number): Promise<Entry> {
    return { stat: statOf(this.#make(request, parent, name, S_IFDIR | (mode & 0o7777))) };
  }

  async mknod(request: Request, parent: Ino, name: Uint8Array, mode: number): Promise<Entry> {
    const type = mode & S_IFMT;
    if (type !== 0 && type !== S_IFREG)
      throw new KodomountError("NotPermitted", "Only regular files here");
    return { stat: statOf(this.#make(request, parent, name, S_IFREG | (mode & 0o7777))) };
  }

  async unlink(_request: Request, parent: Ino, name: Uint8Array): Promise<void> {
    const directory = this.#node(parent);
    child(directory, text(name)).nlink = 0;
    directory.children.delete(text(name));
  }

  async rmdir(_request: Request, parent: Ino, name: Uint8Array): Promise<void> {
    const directory = this.#node(parent);
    if (child(directory, text(name)).children.size > 0)
      throw new KodomountError("NotEmpty", `${text(name)} is not empty`);
    directory.children.delete(text(name));
  }

  async rename(
    _request: Request,
    from: { parent: Ino; name: Uint8Array },
    to: { parent: Ino; name: Uint8Array },
    flags: { noReplace: boolean; exchange: boolean },
  ): Promise<void> {
    const source = this.#node(from.parent);
    const target = this.#node(to.parent);
    const node = child(source, text(from.name));
    const replaced = target.children.get(text(to.name));
    if (flags.noReplace && replaced !== undefined)
      throw new KodomountError("Exists", `${text(to.name)} exists`);
    source.children.delete(text(from.name));
    target.children.set(text(to.name), node);
    node.name = text(to.name);
    if (flags.exchange && replaced !== undefined) source.children.set(text(from.name), replaced);
  }

  async create(
    request: Request,
    parent: Ino,
    name: Uint8Array,
    options: { mode: number; flags: OpenFlags },
  ): Promise<Entry & { opened: Opened }> {
    const mode = S_IFREG | (options.mode & 0o7777);
    const node =
      this.#node(parent).children.get(text(name)) ?? this.#make(request, parent, name, mode);
    return { stat: statOf(node), opened: await this.open(request, node.ino, options.flags) };
  }

  async open(_request: Request, ino: Ino, flags: OpenFlags): Promise<Opened> {
    const node = this.#node(ino);
    if (flags.truncate) this.#resize(node, 0);
    const handle = this.#open(node, flags);
    return { handle, cache: flags.write ? "direct" : (this.#options.cache ?? "fresh") };
  }

  async read(
    _request: Request,
    handle: HandleId,
    offset: number,
    length: number,
  ): Promise<Uint8Array> {
    const { node } = this.#handle(handle);
    const count = Math.max(0, Math.min(length, node.size - offset));
    if (this.#options.sink) return Buffer.alloc(count);
    return node.data.subarray(offset, offset + count);
  }

  async write(request: Request, handle: HandleId, offset: number, data: Uint8Array): Promise<void> {
    const { node, name } = this.#handle(handle);
    await this.#options.onWrite?.(name, request, data.length);
    const end = offset + data.length;
    if (end > node.size) this.#resize(node, end);
    if (!this.#options.sink) node.data.set(data, offset);
    node.mtimeMs = systemClock.now();
  }

  async flush(request: Request, handle: HandleId, closing: Closing): Promise<void> {
    await this.#options.onFlush?.(this.#handle(handle).name, closing, request);
  }

  async release(handle: HandleId): Promise<void> {
    this.#options.onRelease?.(this.#handle(handle).name);
    this.#handles.delete(handle);
  }

  async fsync(_request: Request, handle: HandleId): Promise<void> {
    this.#handle(handle);
  }

  async fallocate(
    _request: Request,
    handle: HandleId,
    mode: number,
    range: { offset: number; length: number },
  ): Promise<void> {
    if (mode > 1) throw new KodomountError("NotSupported", `No fallocate with mode ${mode}`);
    const { node } = this.#handle(handle);
    if (mode === 0) this.#resize(node, Math.max(node.size, range.offset + range.length));
  }

  async tmpfile(): Promise<Entry & { opened: Opened }> {
    throw new KodomountError("NotSupported", "No files without a name");
  }

  async link(): Promise<Entry> {
    throw new KodomountError("NotPermitted", "No hard links");
  }

  async copyRange(): Promise<number> {
    throw new KodomountError("NotSupported", "The kernel copies by reading and writing");
  }

  async seek(
    request: Request,
    ino: Ino,
    offset: number,
    what: "data" | "hole",
  ): Promise<number | undefined> {
    const { size } = await this.getattr(request, ino);
    if (offset < 0 || offset >= size) return undefined;
    return what === "data" ? offset : size;
  }

  async opendir(_request: Request, ino: Ino): Promise<HandleId> {
    return this.#open(this.#node(ino), READ_ONLY);
  }

  /** Its entries are looked up one by one. */
  async statEntries(
    _request: Request,
    _handle: HandleId,
    entries: readonly DirectoryEntry[],
  ): Promise<readonly undefined[]> {
    return entries.map(() => undefined);
  }

  async readdir(
    _request: Request,
    handle: HandleId,
    cookie: number,
  ): Promise<readonly DirectoryEntry[]> {
    const { node } = this.#handle(handle);
    const entries = [...node.children].map(([name, { ino, mode }]) => ({ name, ino, mode }));
    const all = [".", ".."].map((name) => ({ name, ino: node.ino, mode: node.mode }));
    return [...all, ...entries]
      .map(({ name, ino, mode }, index) => ({ name, ino, type: mode & S_IFMT, cookie: index + 1 }))
      .slice(cookie);
  }

  async releasedir(handle: HandleId): Promise<void> {
    this.#handles.delete(handle);
  }

  async fsyncdir(_request: Request, ino: Ino): Promise<void> {
    this.#node(ino);
  }

  async statfs(): Promise<StatFs> {
    const count = 2 ** 30;
    return {
      blocks: count,
      blocksFree: count,
      blockSize: 4096,
      files: count,
      filesFree: count,
      nameSizeMax: 255,
    };
  }

  #make(request: Request, parent: Ino, name: Uint8Array, mode: number): Node {
    const directory = this.#node(parent);
    if (directory.children.has(text(name)))
      throw new KodomountError("Exists", `${text(name)} exists`);
    const node = this.#add(toIno(this.#next++), mode, request.caller);
    directory.children.set(text(name), node);
    node.name = text(name);
    return node;
  }

  #add(ino: Ino, mode: number, { uid, gid }: { uid: number; gid: number }): Node {
    const now = systemClock.now();
    const nlink = (mode & S_IFMT) === S_IFDIR ? 2 : 1;
    const times = { atimeMs: now, mtimeMs: now, ctimeMs: now };
    const content = { size: 0, data: Buffer.alloc(0), children: new Map() };
    const node = { ino, name: "", mode, uid, gid, nlink, ...times, ...content };
    this.#nodes.set(ino, node);
    return node;
  }

  #resize(node: Node, size: number): void {
    if (!this.#options.sink) {
      if (size > node.data.length) {
        const data = Buffer.alloc(Math.max(size, 2 * node.data.length));
        node.data.copy(data, 0, 0, node.size);
        node.data = data;
      }
      if (size < node.size) node.data.fill(0, size, node.size);
    }
    node.size = size;
    node.mtimeMs = systemClock.now();
  }

  #open(node: Node, flags: OpenFlags): HandleId {
    const handle = toHandleId(this.#next++);
    this.#handles.set(handle, { node, name: node.name, flags });
    return handle;
  }

  #node(ino: Ino): Node {
    const node = this.#nodes.get(ino);
    if (node === undefined) throw new KodomountError("Stale", `Node ${ino} is not known`);
    return node;
  }

  #handle(id: HandleId): Handle {
    const handle = this.#handles.get(id);
    if (handle === undefined) throw new KodomountError("BadHandle", `Handle ${id} is not open`);
    return handle;
  }
}

const READ_ONLY: OpenFlags = {
  read: true,
  write: false,
  append: false,
  truncate: false,
  exclusive: false,
};

function child(directory: Node, name: string): Node {
  const node = directory.children.get(name);
  if (node === undefined) throw new KodomountError("NotFound", `${name} is not there`);
  return node;
}

function text(name: Uint8Array): string {
  return Buffer.from(name).toString();
}

function statOf(node: Node): Stat {
  const { children: _children, data: _data, name: _name, ...stat } = node;
  return stat;
}
