// The filesystem: one method an operation, each handed to the file that knows about it. No FUSE here; transports and
// tests call it alike.

import { codeOf } from "../base/mod.ts";
import { type HandleId, type Ino, type Key } from "../model/mod.ts";
import { Archives } from "./archives.ts";
import { NodeAttributes } from "./attributes.ts";
import { Closes } from "./closes.ts";
import { Core, type FilesystemOptions } from "./core.ts";
import { Directories } from "./directories.ts";
import { Files } from "./files.ts";
import { Names } from "./names.ts";
import { Ranges } from "./ranges.ts";
import { Renames } from "./renames.ts";
import { ToldXattrs } from "./told-xattrs.ts";
import type { Node } from "./tree.ts";
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
  XattrValue,
} from "./types.ts";
import { Unnamed } from "./unnamed.ts";
import { View } from "./view.ts";
import { NodeXattrs } from "./xattrs.ts";

/** As large as `df` can show: a bucket has no size. */
const BLOCKS = 2 ** 38;

/** The filesystem over what `options` put together, and what must be told when something changes in the bucket. */
export function createFilesystem(options: FilesystemOptions): KodoFilesystem {
  return new KodoFilesystem(options);
}

export class KodoFilesystem implements Filesystem {
  readonly #core: Core;
  readonly #view: View;
  readonly #closes: Closes;
  readonly #directories: Directories;
  readonly #files: Files;
  readonly #names: Names;
  readonly #ranges: Ranges;
  readonly #renames: Renames;
  readonly #attributes: NodeAttributes;
  readonly #xattrs: NodeXattrs;
  readonly #unnamed: Unnamed;
  /** What of the bucket is in an archive, by path. */
  readonly archives: Archives;

  constructor(options: FilesystemOptions) {
    this.#core = new Core(options);
    this.#view = new View(this.#core);
    this.#closes = new Closes(this.#core);
    this.#directories = new Directories(this.#core, this.#view);
    this.#files = new Files(this.#core, this.#view, this.#closes);
    this.#ranges = new Ranges(this.#core, this.#view, this.#files);
    this.#names = new Names(this.#core, this.#view, this.#files);
    this.#renames = new Renames(this.#core, this.#view);
    this.#attributes = new NodeAttributes(this.#core, this.#view);
    this.#xattrs = new NodeXattrs(
      this.#view,
      this.#attributes,
      new ToldXattrs(this.#core, this.#view),
    );
    this.archives = new Archives(this.#core);
    this.#unnamed = new Unnamed({
      core: this.#core,
      view: this.#view,
      files: this.#files,
    });
  }

  /** Answers given before a take-over. */
  restoreReplies(
    replies: Iterable<{ unique: string; reply: { ino?: Ino; handle?: number } }>,
  ): void {
    for (const { unique, reply } of replies) this.#core.replies.set(unique, reply);
  }

  /** What is at `key` in the bucket was changed by us: the next look asks again. */
  objectChanged(key: Key): void {
    const node = this.#core.tree.findByKey(key);
    if (node === undefined) return;
    node.remote = undefined;
    node.commits += 1;
  }

  /** After an unmount, which may swallow RELEASEs: nobody can use a handle any more, so each is released. */
  async releaseAll(): Promise<void> {
    for (const handle of this.#core.handles.all()) await this.release(handle);
  }

  /** Open handles: for status, and for tests that nothing is left. */
  get openHandles(): number {
    return this.#core.handles.size;
  }

  lookup(request: Request, parent: Ino, name: Uint8Array): Promise<Entry> {
    return this.#names.lookup(request, this.#core.directory(parent), name);
  }

  forget(ino: Ino, count: number): void {
    const node = this.#core.tree.find(ino);
    if (node === undefined) return;
    node.lookupCount = Math.max(0, node.lookupCount - count);
    this.#core.tree.prune(node);
  }

  async getattr(request: Request, ino: Ino): Promise<Stat> {
    return this.#view.stat(this.#core.node(ino), request.signal);
  }

  async setattr(request: Request, ino: Ino, changes: AttributeChanges): Promise<Stat> {
    const node = this.#core.node(ino);
    this.#core.assertWritable(node);
    if (changes.size !== undefined) await this.#files.resize(request, node, changes.size);
    await this.#attributes.set(request, node, changes);
    return this.#view.stat(node, request.signal);
  }

  async setxattr(request: Request, ino: Ino, name: Uint8Array, value: XattrValue): Promise<void> {
    const node = this.#core.node(ino);
    this.#core.assertWritable(node);
    return this.#xattrs.set(request, node, name, value);
  }

  async getxattr(request: Request, ino: Ino, name: Uint8Array): Promise<Uint8Array> {
    return this.#xattrs.get(request, this.#core.node(ino), name);
  }

  async listxattr(request: Request, ino: Ino): Promise<readonly string[]> {
    return this.#xattrs.list(request, this.#core.node(ino));
  }

  async removexattr(request: Request, ino: Ino, name: Uint8Array): Promise<void> {
    const node = this.#core.node(ino);
    this.#core.assertWritable(node);
    return this.#xattrs.remove(request, node, name);
  }

  readlink(request: Request, ino: Ino): Promise<string> {
    return this.#names.readlink(request, this.#core.node(ino));
  }

  async symlink(
    request: Request,
    parent: Ino,
    name: Uint8Array,
    target: Uint8Array,
  ): Promise<Entry> {
    const directory = this.#core.directory(parent);
    return this.#changing([directory], () => this.#names.symlink(request, directory, name, target));
  }

  async mkdir(request: Request, parent: Ino, name: Uint8Array, mode: number): Promise<Entry> {
    const directory = this.#core.directory(parent);
    return this.#changing([directory], () => this.#names.mkdir(request, directory, name, mode));
  }

  async mknod(request: Request, parent: Ino, name: Uint8Array, mode: number): Promise<Entry> {
    const directory = this.#core.directory(parent);
    return this.#changing([directory], () => this.#names.mknod(request, directory, name, mode));
  }

  async unlink(request: Request, parent: Ino, name: Uint8Array): Promise<void> {
    const directory = this.#core.directory(parent);
    return this.#changing([directory], () => this.#names.unlink(request, directory, name));
  }

  async rmdir(request: Request, parent: Ino, name: Uint8Array): Promise<void> {
    const directory = this.#core.directory(parent);
    return this.#changing([directory], () => this.#names.rmdir(request, directory, name));
  }

  async rename(
    request: Request,
    from: { parent: Ino; name: Uint8Array },
    to: { parent: Ino; name: Uint8Array },
    flags: { noReplace: boolean; exchange: boolean },
  ): Promise<void> {
    const source = { parent: this.#core.directory(from.parent), name: from.name };
    const destination = { parent: this.#core.directory(to.parent), name: to.name };
    return this.#changing([source.parent, destination.parent], () =>
      this.#renames.rename(request, source, destination, flags),
    );
  }

  async create(
    request: Request,
    parent: Ino,
    name: Uint8Array,
    options: { mode: number; flags: OpenFlags },
  ): Promise<Entry & { opened: Opened }> {
    const directory = this.#core.directory(parent);
    return this.#changing([directory], () => this.#names.create(request, directory, name, options));
  }

  async tmpfile(
    request: Request,
    parent: Ino,
    options: { mode: number; flags: OpenFlags },
  ): Promise<Entry & { opened: Opened }> {
    return this.#unnamed.tmpfile(request, this.#core.directory(parent), options);
  }

  async link(request: Request, ino: Ino, parent: Ino, name: Uint8Array): Promise<Entry> {
    const [node, directory] = [this.#core.node(ino), this.#core.directory(parent)];
    return this.#changing([directory], () => this.#unnamed.link(request, node, directory, name));
  }

  open(request: Request, ino: Ino, flags: OpenFlags): Promise<Opened> {
    return this.#files.open(request, ino, flags);
  }

  read(
    request: Request,
    handle: HandleId,
    offset: number,
    length: number,
  ): Promise<Uint8Array | "written"> {
    return this.#files.read(request, handle, offset, length);
  }

  write(request: Request, handle: HandleId, offset: number, data: Uint8Array): Promise<void> {
    return this.#files.write(request, handle, offset, data);
  }

  flush(request: Request, handle: HandleId, closing: Closing): Promise<void> {
    return this.#closes.flush(request, handle, closing);
  }

  async release(handle: HandleId): Promise<void> {
    try {
      await this.#closes.release(handle);
    } catch (error) {
      // Nobody can be told: the log and the counter of failures are what is left.
      this.#core.options.log.error(
        { err: error, code: codeOf(error) },
        "The last close of a file failed",
      );
    }
  }

  async fsync(request: Request, handle: HandleId, _dataOnly: boolean): Promise<void> {
    return this.#files.fsync(request, handle);
  }

  async fallocate(
    request: Request,
    handle: HandleId,
    mode: number,
    range: { offset: number; length: number },
  ): Promise<void> {
    return this.#ranges.fallocate(request, handle, mode, range);
  }

  async copyRange(
    request: Request,
    from: { handle: HandleId; offset: number },
    to: { handle: HandleId; offset: number },
    length: number,
  ): Promise<number> {
    return this.#ranges.copy(request, from, to, length);
  }

  async seek(
    request: Request,
    ino: Ino,
    offset: number,
    what: "data" | "hole",
  ): Promise<number | undefined> {
    return this.#ranges.seek(request, this.#core.node(ino), offset, what);
  }

  async opendir(_request: Request, ino: Ino): Promise<HandleId> {
    return this.#directories.opendir(ino);
  }

  readdir(request: Request, id: HandleId, cookie: number): Promise<readonly DirectoryEntry[]> {
    return this.#directories.readdir(request, id, cookie);
  }

  statEntries(
    request: Request,
    id: HandleId,
    entries: readonly DirectoryEntry[],
  ): Promise<readonly (Stat | undefined)[]> {
    return this.#directories.statEntries(request, id, entries);
  }

  async releasedir(handle: HandleId): Promise<void> {
    this.#directories.releasedir(handle);
  }

  /** Every change of a name was durable before its reply. */
  async fsyncdir(_request: Request, ino: Ino): Promise<void> {
    this.#core.directory(ino);
  }

  async statfs(_request: Request): Promise<StatFs> {
    return {
      blocks: BLOCKS,
      blocksFree: BLOCKS,
      blockSize: 4096,
      files: BLOCKS,
      filesFree: BLOCKS,
      nameSizeMax: 255,
    };
  }

  /** A name in these directories is made or removed: programs tell by the time of a directory. */
  async #changing<T>(directories: readonly Node[], change: () => Promise<T>): Promise<T> {
    const result = await change();
    const now = this.#core.options.clock.now();
    for (const directory of directories) {
      directory.entriesMs = now;
      directory.changedMs = now;
    }
    return result;
  }
}
