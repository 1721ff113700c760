// Operations on the content of files. `closes.ts` has what a close means.

import { codeOf, describe, invariant, KodomountError } from "../base/mod.ts";
import {
  type Attributes,
  type Base,
  type HandleId,
  type Ino,
  isArchiveClass,
  partAt,
  S_IFLNK,
  S_IFMT,
} from "../model/mod.ts";
import type { Origin, Save, Slot } from "../publish/mod.ts";
import { assertReadable } from "./archives.ts";
import { cacheMode } from "./cache-mode.ts";
import { type Closes, orRefuse } from "./closes.ts";
import type { Core } from "./core.ts";
import { endNameless } from "./keep.ts";
import type { Node } from "./tree.ts";
import type { Opened, OpenFlags, Request } from "./types.ts";
import { type Current, isSameContent, sizeOf, type View } from "./view.ts";

interface Range {
  readonly offset: number;
  readonly length: number;
}

export class Files {
  readonly #core: Core;
  readonly #view: View;
  readonly #closes: Closes;

  constructor(core: Core, view: View, closes: Closes) {
    this.#core = core;
    this.#view = view;
    this.#closes = closes;
  }

  async open(request: Request, ino: Ino, flags: OpenFlags): Promise<Opened> {
    const node = this.#file(ino);
    if (flags.write) this.#core.assertWritable(node);
    const current = await this.#lookedUp(node, request.signal);
    if (flags.truncate && flags.write) await this.#empty(node, request.signal);
    return this.register(request, node, flags, current);
  }

  /** What the kernel has looked up before it opens it. When that is gone it must look again: O_CREAT may make it. */
  async #lookedUp(node: Node, signal: AbortSignal): Promise<Current> {
    try {
      return await this.#view.current(node, signal);
    } catch (error) {
      if (codeOf(error) !== "NotFound") throw error;
      throw new KodomountError("Stale", `${node.name} is not there any more`, { cause: error });
    }
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

  async read(
    request: Request,
    id: HandleId,
    offset: number,
    length: number,
  ): Promise<Uint8Array | "written"> {
    const { node, read } = this.#core.handles.file(id);
    if (!read) throw new KodomountError("BadHandle", "The file was not opened for reading");
    return this.#read(request, node, { offset, length });
  }

  /** The whole content of a small file. */
  async readWhole(request: Request, node: Node, size: number): Promise<Uint8Array> {
    const bytes = await this.#read(request, node, { offset: 0, length: size });
    invariant(bytes !== "written", "nobody said where to");
    return bytes;
  }

  async write(request: Request, id: HandleId, offset: number, data: Uint8Array): Promise<void> {
    const { node, write } = this.#core.handles.file(id);
    if (!write) throw new KodomountError("BadHandle", "The file was not opened for writing");
    await this.#admit(node, { offset, length: data.length }, request.signal);
    using _ = await node.mutex.acquire(request.signal);
    await this.change(node, request.signal, (save) =>
      save.content.write(offset, data, request.signal),
    );
  }

  /** Waits for the network and for room in the spill before anything is held up by it: others may use the file meanwhile. */
  async #admit(
    node: Node,
    { offset, length }: { offset: number; length: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { save } = node;
    if (save === undefined || save.record.state.kind !== "open") return;
    await orRefuse(this.#core, save, async () => {
      try {
        await save.content.admit(offset, length, signal);
      } catch (error) {
        // Refused by the store while it waited: that is why there was no room.
        save.assertAccepted();
        throw error;
      }
    });
  }

  /** Makes the file `size` bytes long. By truncate(2) nobody has it open: then that is its close, too. */
  async resize(request: Request, node: Node, size: number): Promise<void> {
    this.#core.assertWritable();
    const save = await this.#resize(request, node, size);
    if (save !== undefined && node.writers === 0) await this.#closes.close(node, save);
    await endNameless(this.#core, node);
  }

  async #resize(request: Request, node: Node, size: number): Promise<Save | undefined> {
    using _ = await node.mutex.acquire(request.signal);
    const current = await this.#view.current(node, request.signal);
    if (size === sizeOf(current)) return undefined;
    if (size === 0 && current.kind === "remote" && isArchiveClass(current.file.storageClass)) {
      // Nothing of the object is needed, nor can it be had: it is replaced as by O_TRUNC.
      await this.#replace(node, current, request.signal);
      return node.save;
    }
    // What cannot be is refused before anything is changed: that does not fail the file.
    if (size > 0) partAt(this.#core.options.publisher.plan, size - 1);
    await this.change(node, request.signal, async (save) => {
      await save.content.truncate(size, request.signal);
      await this.#core.options.publisher.resized(save);
    });
    return node.save;
  }

  async fsync(request: Request, id: HandleId): Promise<void> {
    const { node, write } = this.#core.handles.file(id);
    const { publisher, catalog } = this.#core.options;
    if (!write || (node.isNameless && !node.isLinkable)) return;
    using _ = await node.mutex.acquire(request.signal);
    const save = node.save;
    if (save !== undefined) {
      save.assertAccepted();
      await orRefuse(this.#core, save, () => publisher.fsync(save));
      return;
    }
    const closed = publisher.find(node.key)?.newestClosed;
    if (closed !== undefined) await closed.content.sync();
    await catalog.syncNow();
  }

  /** The save that a write goes to: the open one, or a new one that starts as what is there now. */
  async #openSave(node: Node, signal: AbortSignal): Promise<Save> {
    if (node.save !== undefined) return node.save;
    for (;;) {
      const before = await this.#view.current(node, signal);
      // The bytes are at another key until the store has copied them, or are becoming another version, or are nowhere but in
      // an upload that is not complete yet.
      const slot = before.kind === "copy" ? before.slot : this.#copying(node);
      await slot?.changed.wait(signal);
      if (before.kind === "save" && before.save.content.isEvicted)
        await this.#core.options.publisher.published(before.save, signal);
      using _ = await node.attributing.acquire(signal);
      const current = await this.#view.current(node, signal);
      if (current.kind === "copy") continue;
      if (current.kind === "local") throw noContent(node);
      if (current.kind === "save" && current.save.content.isEvicted) continue;
      if (current.kind === "remote" && current.file.size > 0)
        await assertReadable(this.#core, current.file, signal);
      const attributes = await this.#view.attributesOf(node, current, signal);
      const save = await this.#begin(node, attributes, originOf(current));
      if (save !== undefined) return save;
    }
  }

  /** The slot of an object that is becoming another version of the same content at this moment. */
  #copying(node: Node): Slot | undefined {
    const slot = node.isNameless ? undefined : this.#core.options.publisher.find(node.key);
    return slot?.isCopying ? slot : undefined;
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
        return await this.change(node, signal, async (save) => {
          await save.content.truncate(0);
          await publisher.resized(save);
        });
      node.save = undefined;
      await publisher.discard(current.save);
    } else if (sizeOf(current) === 0) return;
    await this.#replace(node, current, signal);
  }

  /** A new save that begins with nothing of what is there. The caller has the node's mutex. */
  async #replace(node: Node, current: Current, signal: AbortSignal): Promise<void> {
    using _ = await node.attributing.acquire(signal);
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

  async #read(request: Request, node: Node, range: Range): Promise<Uint8Array | "written"> {
    const { signal } = request;
    // What is committed, replaced or removed by us while we look is elsewhere by then: look again.
    for (;;) {
      const current = await this.#view.current(node, signal);
      if (current.kind === "local") throw noContent(node);
      try {
        const bytes = await this.#readCurrent(request, current, range);
        if (bytes !== undefined) return bytes;
      } catch (error) {
        if (codeOf(error) === "Evicted")
          this.#core.options.log.warn(
            { key: node.name, offset: range.offset, err: error },
            describe(error),
          );
        if (codeOf(error) !== "Stale") throw error;
        const slot = this.#copying(node);
        if (slot !== undefined) await slot.changed.wait(signal);
        else if (isSameContent(current, await this.#view.current(node, signal))) throw error;
      }
    }
  }

  async #readCurrent(
    { signal, direct }: Request,
    current: Exclude<Current, { kind: "local" }>,
    range: Range,
  ): Promise<Uint8Array | "written" | undefined> {
    const { loader } = this.#core.options;
    switch (current.kind) {
      case "save":
        return current.save.content.read(range.offset, range.length, signal);
      case "remote":
        return loader.read(current.file, range, signal, direct);
      case "copy": {
        const { from: key, etag, size } = current.want;
        return loader.read({ key, etag, size }, range, signal, direct);
      }
    }
  }

  /** A change of content. If it fails, other than by a signal, the save is refused: half of it must not be published. The caller has the node's mutex. */
  async change(
    node: Node,
    signal: AbortSignal,
    change: (save: Save) => Promise<void>,
  ): Promise<void> {
    const save = await this.#openSave(node, signal);
    save.assertAccepted();
    this.#touch(save);
    await orRefuse(this.#core, save, () => change(save));
  }

  #touch(save: Save): void {
    save.dirty = true;
    const now = this.#core.options.clock.now();
    const attributes = { ...save.record.attributes, mtimeMs: now, ctimeMs: now };
    save.record = { ...save.record, attributes };
  }

  #file(ino: Ino): Node {
    const node = this.#core.node(ino);
    if (node.kind === "directory")
      throw new KodomountError("IsDirectory", `${node.name} is a directory`);
    return node;
  }
}

/** What a save that modifies starts as. */
function originOf(current: Exclude<Current, { kind: "copy" | "local" }>): Origin {
  if (current.kind === "save") return { kind: "save", save: current.save };
  const { etag, size } = current.file;
  return size === 0
    ? { kind: "empty", base: { kind: "object", etag, size } }
    : { kind: "object", etag, size };
}

/** The kernel opens pipes and sockets by itself. */
function noContent(node: Node): KodomountError {
  return new KodomountError("Invalid", `${node.name} is a pipe or a socket: it has no content`);
}

export function isSymlink(mode: number): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}
