// Operations on the content of files: open to release, and what a close means.

import { codeOf, invariant, KodomountError } from "../base/mod.ts";
import {
  type Attributes,
  type Base,
  type HandleId,
  type Ino,
  partCount,
  S_IFLNK,
  S_IFMT,
} from "../model/mod.ts";
import type { Origin, Save } from "../publish/mod.ts";
import { cacheMode } from "./cache-mode.ts";
import type { Core } from "./core.ts";
import type { FileHandle } from "./handles.ts";
import type { Node } from "./tree.ts";
import type { Closing, Opened, OpenFlags, Request } from "./types.ts";
import { type Current, isSameContent, sizeOf, type View } from "./view.ts";

export class Files {
  readonly #core: Core;
  readonly #view: View;

  constructor(core: Core, view: View) {
    this.#core = core;
    this.#view = view;
  }

  async open(request: Request, ino: Ino, flags: OpenFlags): Promise<Opened> {
    const node = this.#file(ino);
    if (flags.write) this.#core.assertWritable();
    const current = await this.#view.current(node, request.signal);
    if (flags.truncate && flags.write) await this.#empty(node, request.signal);
    return this.register(request, node, flags, current);
  }

  /** A handle for a node; nothing is fetched and, unless it truncates, nothing begins to be saved. */
  register(request: Request, node: Node, flags: OpenFlags, current: Current | undefined): Opened {
    const handle = this.#core.newHandle();
    const opener = flags.write
      ? this.#core.options.threadGroup(request.caller.pid)
      : Promise.resolve(undefined);
    this.#core.handles.add(handle, {
      kind: "file",
      node,
      read: flags.read,
      write: flags.write,
      append: flags.append,
      opener,
    });
    if (flags.write) node.writers += 1;
    return { handle, cache: cacheMode(node, flags, current) };
  }

  async read(request: Request, id: HandleId, offset: number, length: number): Promise<Uint8Array> {
    const { node, read } = this.#core.handles.file(id);
    if (!read) throw new KodomountError("BadHandle", "The file was not opened for reading");
    return this.#read(node, offset, length, request.signal);
  }

  /** The whole content of a small file. */
  readWhole(request: Request, node: Node, size: number): Promise<Uint8Array> {
    return this.#read(node, 0, size, request.signal);
  }

  async write(request: Request, id: HandleId, offset: number, data: Uint8Array): Promise<void> {
    const { node, write } = this.#core.handles.file(id);
    if (!write) throw new KodomountError("BadHandle", "The file was not opened for writing");
    using _ = await node.mutex.acquire(request.signal);
    await this.#change(node, request.signal, (save) =>
      save.content.write(offset, data, request.signal),
    );
  }

  /** Makes the file `size` bytes long. By truncate(2) nobody has it open: then that is its close, too. */
  async resize(request: Request, node: Node, size: number): Promise<void> {
    this.#core.assertWritable();
    const save = await this.#resize(request, node, size);
    if (save !== undefined && node.writers === 0) await this.#close(node, save);
    await this.#endNameless(node);
  }

  async #resize(request: Request, node: Node, size: number): Promise<Save | undefined> {
    using _ = await node.mutex.acquire(request.signal);
    if (size === sizeOf(await this.#view.current(node, request.signal))) return undefined;
    await this.#change(node, request.signal, (save) => save.content.truncate(size, request.signal));
    return node.save;
  }

  async fallocate(
    request: Request,
    id: HandleId,
    mode: number,
    range: { offset: number; length: number },
  ): Promise<void> {
    const { node, write } = this.#core.handles.file(id);
    if (!write) throw new KodomountError("BadHandle", "The file was not opened for writing");
    if (mode === FALLOC_FL_KEEP_SIZE) return;
    if (mode !== 0)
      throw new KodomountError("NotSupported", `fallocate with mode ${mode} is not supported`);
    const end = range.offset + range.length;
    if (end > sizeOf(await this.#view.current(node, request.signal)))
      await this.resize(request, node, end);
  }

  /** One close(2), or one exit: design "What is a close" and "The end of a writer". */
  async flush(request: Request, id: HandleId, closing: Closing): Promise<void> {
    const handle = this.#core.handles.file(id);
    const { node } = handle;
    if (!handle.write || node.isNameless) return;
    if (closing.end === "killed") {
      if (node.save !== undefined) node.killed = true;
      return;
    }
    const save = node.save;
    if (save === undefined || !save.dirty) return this.#joinPending(node, request.signal);
    save.assertAccepted();
    if (closing.end === "exited") return this.#keep(node, save);
    if (!(await this.#isCommit(handle, closing))) return;
    const closed = await this.#close(node, save, request.signal);
    if (closed !== undefined) await this.#awaitPromise(closed, request.signal);
  }

  async fsync(request: Request, id: HandleId): Promise<void> {
    const { node, write } = this.#core.handles.file(id);
    const { publisher, catalog } = this.#core.options;
    if (!write || node.isNameless) return;
    using _ = await node.mutex.acquire(request.signal);
    const save = node.save;
    if (save !== undefined) {
      save.assertAccepted();
      await this.#orRefuse(save, () => publisher.fsync(save));
      return;
    }
    const closed = publisher.find(node.key)?.closed;
    if (closed !== undefined) await closed.content.sync();
    await catalog.syncNow();
  }

  async release(id: HandleId): Promise<void> {
    const handle = this.#core.handles.remove(id);
    if (handle === undefined) return;
    const { node } = handle;
    if (handle.kind === "file" && handle.write) {
      node.writers -= 1;
      if (node.writers === 0 && !node.isNameless) await this.#lastRelease(node, handle);
    }
    await this.#endNameless(node);
    this.#core.tree.prune(node);
  }

  /** The save that a write goes to: the open one, or a new one that starts as what is there now. */
  async #openSave(node: Node, signal: AbortSignal): Promise<Save> {
    if (node.save !== undefined) return node.save;
    for (;;) {
      const before = await this.#view.current(node, signal);
      // The bytes are at another key until the store has copied them.
      if (before.kind === "copy") await before.slot.changed.wait(signal);
      using _ = await node.attributing.acquire(signal);
      const current = await this.#view.current(node, signal);
      if (current.kind === "copy") continue;
      const attributes = await this.#view.attributesOf(node, current, signal);
      const save = await this.#begin(node, attributes, originOf(current));
      if (save !== undefined) return save;
    }
  }

  async #begin(node: Node, attributes: Attributes, origin: Origin): Promise<Save | undefined> {
    if (node.isNameless)
      throw new KodomountError(
        "Stale",
        `${node.name} was removed: what it was cannot be written to any more`,
      );
    const save = await this.#core.options.publisher.begin({
      key: node.key,
      ino: node.ino,
      attributes,
      origin,
    });
    node.save = save;
    return save;
  }

  /** O_TRUNC: whatever there was is dropped, the object stays as it is until the commit. */
  async #empty(node: Node, signal: AbortSignal): Promise<void> {
    const { publisher } = this.#core.options;
    using _ = await node.mutex.acquire(signal);
    const current = await this.#view.current(node, signal);
    if (current.kind === "save" && current.save === node.save) {
      if (current.save.record.state.kind === "open")
        return await this.#change(node, signal, (save) => save.content.truncate(0));
      node.save = undefined;
      await publisher.discard(current.save);
    } else if (sizeOf(current) === 0) return;
    using __ = await node.attributing.acquire(signal);
    const attributes = await this.#view.attributesOf(node, current, signal);
    const save = await this.#begin(node, attributes, {
      kind: "empty",
      base: await this.#baseOf(node, current, signal),
    });
    invariant(save !== undefined, "an empty save can always be begun");
    this.#touch(save);
  }

  /** The object that a new save will replace. */
  async #baseOf(node: Node, current: Current, signal: AbortSignal): Promise<Base> {
    if (current.kind === "save") return current.save.record.base;
    const file =
      current.kind === "remote"
        ? current.file
        : await this.#core.options.loader.file(node.key, signal);
    return file === undefined
      ? { kind: "absent" }
      : { kind: "object", etag: file.etag, size: file.size };
  }

  async #read(
    node: Node,
    offset: number,
    length: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    // What is committed, replaced or removed by us while we look is elsewhere by then: look again.
    for (;;) {
      const current = await this.#view.current(node, signal);
      try {
        const bytes = await this.#readCurrent(current, offset, length, signal);
        if (bytes !== undefined) return bytes;
      } catch (error) {
        if (codeOf(error) !== "Stale") throw error;
        if (isSameContent(current, await this.#view.current(node, signal))) throw error;
      }
    }
  }

  /** The last handle of a file without a name is gone: nobody can reach its content any more. */
  async #endNameless(node: Node): Promise<void> {
    const { save } = node;
    if (!node.isNameless || node.handles > 0 || save === undefined) return;
    node.save = undefined;
    await this.#core.options.publisher.discard(save);
    this.#core.tree.prune(node);
  }

  async #readCurrent(
    current: Current,
    offset: number,
    length: number,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const { loader } = this.#core.options;
    switch (current.kind) {
      case "save":
        return current.save.content.read(offset, length, signal);
      case "remote":
        return loader.read(current.file, offset, length, signal);
      case "copy": {
        const { from: key, etag, size } = current.want;
        const attributes = { mode: 0, uid: 0, gid: 0, mtimeMs: 0 };
        return loader.read({ kind: "file", key, etag, size, attributes }, offset, length, signal);
      }
    }
  }

  /** A change of content. If it fails, other than by a signal, the save is refused: half of it must not be published. */
  async #change(
    node: Node,
    signal: AbortSignal,
    change: (save: Save) => Promise<void>,
  ): Promise<void> {
    const save = await this.#openSave(node, signal);
    save.assertAccepted();
    this.#touch(save);
    await this.#orRefuse(save, () => change(save));
  }

  async #orRefuse(save: Save, task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      if (codeOf(error) !== "Interrupted") await this.#core.options.publisher.refuse(save, error);
      throw error;
    }
  }

  #touch(save: Save): void {
    save.dirty = true;
    const now = this.#core.options.clock.now();
    const attributes = { ...save.record.attributes, mtimeMs: now, ctimeMs: now };
    save.record = { ...save.record, attributes };
  }

  /** An exiting process cannot be told anything, nor be interrupted: only make it safe; the last release closes it. */
  async #keep(node: Node, save: Save): Promise<void> {
    using _ = await node.mutex.acquire();
    if (node.save === save)
      await this.#orRefuse(save, () => this.#core.options.publisher.sync(save));
  }

  /** Whether this FLUSH is the close of the file, and not of one of several descriptors. */
  async #isCommit(handle: FileHandle, closing: Closing): Promise<boolean> {
    const { node } = handle;
    const opener = await handle.opener;
    if (closing.tgid === undefined || closing.heldElsewhere === undefined || opener === undefined) {
      if (node.guessed) return false;
      node.guessed = true;
      return true;
    }
    return closing.tgid === opener && !closing.heldElsewhere;
  }

  async #close(node: Node, save: Save, signal?: AbortSignal): Promise<Save | undefined> {
    const { publisher } = this.#core.options;
    using _ = await node.mutex.acquire(signal);
    if (node.isNameless) return undefined;
    if (node.save !== save) return publisher.find(node.key)?.closed; // somebody else has closed it meanwhile
    const waits = signal !== undefined && this.#waitsForCommit(save);
    await this.#orRefuse(save, () => publisher.close(save, { durable: !waits }, signal));
    // Its name may have gone meanwhile, and who has it open still wants its content.
    if (save.isNameless) return undefined;
    node.save = undefined;
    node.killed = false;
    return save;
  }

  /** Above one part the close waits for the bucket, which then has it all: local durability is not needed. */
  #waitsForCommit(save: Save): boolean {
    const { closeMode, publisher } = this.#core.options;
    if (closeMode === "commit") return partCount(publisher.plan, save.content.size) > 1;
    return closeMode === "strict";
  }

  /** What a close has to wait for before it may return. */
  async #awaitPromise(closed: Save, signal: AbortSignal): Promise<void> {
    const { closeMode, publisher } = this.#core.options;
    if (closeMode === "local") return;
    if (this.#waitsForCommit(closed)) await publisher.published(closed, signal);
    else await publisher.withinLag(closed, signal);
  }

  /** A FLUSH without new bytes: nothing to do, or the same wait as the close before. */
  async #joinPending(node: Node, signal: AbortSignal): Promise<void> {
    node.save?.assertAccepted();
    const closed = this.#core.options.publisher.find(node.key)?.closed;
    if (closed === undefined) return;
    if (closed.record.state.kind === "parked" || this.#waitsForCommit(closed))
      await this.#awaitPromise(closed, signal);
  }

  /** The last writer is gone: the verdict over what was written since the last close. */
  async #lastRelease(node: Node, last: FileHandle): Promise<void> {
    const { publisher } = this.#core.options;
    const save = node.save;
    node.guessed = false;
    if (save === undefined) return;
    if (
      save.record.state.kind === "refused" ||
      (node.killed && !last.append && !save.record.fsynced)
    ) {
      using _ = await node.mutex.acquire();
      node.save = undefined;
      node.killed = false;
      return await publisher.interrupt(save);
    }
    await this.#close(node, save);
  }

  #file(ino: Ino): Node {
    const node = this.#core.node(ino);
    if (node.kind === "directory")
      throw new KodomountError("IsDirectory", `${node.name} is a directory`);
    return node;
  }
}

const FALLOC_FL_KEEP_SIZE = 1;

/** What a save that modifies starts as. */
function originOf(current: Exclude<Current, { kind: "copy" }>): Origin {
  if (current.kind === "save") return { kind: "save", save: current.save };
  const { etag, size } = current.file;
  return size === 0
    ? { kind: "empty", base: { kind: "object", etag, size } }
    : { kind: "object", etag, size };
}

export function isSymlink(mode: number): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}
