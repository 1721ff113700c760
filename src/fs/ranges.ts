// Operations on ranges of a file that move no bytes of the caller: allocate, zero, find holes.

import { KodomountError } from "../base/mod.ts";
import { type HandleId, isArchiveClass, partAt, partCount } from "../model/mod.ts";
import type { Core } from "./core.ts";
import type { Files } from "./files.ts";
import type { Node } from "./tree.ts";
import type { Request } from "./types.ts";
import { sizeOf, type View } from "./view.ts";

export interface Range {
  readonly offset: number;
  readonly length: number;
}

const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;

export class Ranges {
  readonly #core: Core;
  readonly #view: View;
  readonly #files: Files;

  constructor(core: Core, view: View, files: Files) {
    this.#core = core;
    this.#view = view;
    this.#files = files;
  }

  /** fallocate(2). Nothing is reserved: a bucket has no size. */
  async fallocate(request: Request, id: HandleId, mode: number, range: Range): Promise<void> {
    const { node, write } = this.#core.handles.file(id);
    if (!write) throw new KodomountError("BadHandle", "The file was not opened for writing");
    switch (mode) {
      case 0:
        return this.#grow(request, node, range);
      case KEEP_SIZE:
        return;
      case PUNCH_HOLE | KEEP_SIZE:
      case ZERO_RANGE | KEEP_SIZE:
        return this.#zero(request, node, range);
      case ZERO_RANGE:
        await this.#zero(request, node, range);
        return this.#grow(request, node, range);
      default:
        throw new KodomountError("NotSupported", `fallocate with mode ${mode} is not supported`);
    }
  }

  /** Where data, or a hole, begins at or behind `offset`; undefined: not before the end. Holes are whole parts. */
  async seek(
    request: Request,
    node: Node,
    offset: number,
    what: "data" | "hole",
  ): Promise<number | undefined> {
    const current = await this.#view.current(node, request.signal);
    const size = sizeOf(current);
    if (offset < 0 || offset >= size) return undefined;
    if (current.kind === "save") return current.save.content.seek(offset, what);
    return what === "data" ? offset : size;
  }

  /**
   * copy_file_range(2): a whole object, or a run of whole parts of it, to the same place of a file that is written for the
   * first time; its bytes then are copied within the bucket.
   * @returns how many bytes. @throws `NotSupported` for everything else: the caller copies by reading and writing.
   */
  async copy(
    request: Request,
    from: { handle: HandleId; offset: number },
    to: { handle: HandleId; offset: number },
    length: number,
  ): Promise<number> {
    const source = this.#core.handles.file(from.handle);
    const target = this.#core.handles.file(to.handle);
    if (!source.read || !target.write)
      throw new KodomountError("BadHandle", "The files are not open for reading and writing");
    const current = await this.#view.current(source.node, request.signal);
    if (current.kind !== "remote" || from.offset !== to.offset || source.node === target.node)
      throw notInStore();
    const { key, etag, size, storageClass } = current.file;
    // Reading it says what is to be done.
    if (isArchiveClass(storageClass)) throw notInStore();
    const end = this.#copyEnd(from.offset, length, size);
    using _ = await target.node.mutex.acquire(request.signal);
    const { save } = target.node;
    const isNew = save?.record.state.kind === "open" && save.content.size === to.offset;
    const isChanging = this.#core.options.publisher.find(key)?.isCopying;
    if (!isNew || save.isNameless || end === undefined || isChanging) throw notInStore();
    const before = save.record.source;
    if (to.offset > 0 && (before?.key !== key || before.etag !== etag)) throw notInStore();
    await this.#files.change(target.node, request.signal, () =>
      this.#core.options.publisher.copyFrom(save, { key, etag, size }, end),
    );
    return end - from.offset;
  }

  /** Where a copy ends that begins at `offset`: at the end of the object, or before a part that is not copied as a whole. */
  #copyEnd(offset: number, length: number, size: number): number | undefined {
    const { plan } = this.#core.options.publisher;
    if (partCount(plan, size) <= 1 || offset >= size) return undefined;
    if (partAt(plan, offset).offset !== offset) return undefined;
    if (offset + length >= size) return size;
    const end = partAt(plan, offset + length).offset;
    return end > offset ? end : undefined;
  }

  async #grow(request: Request, node: Node, { offset, length }: Range): Promise<void> {
    const end = offset + length;
    if (end > sizeOf(await this.#view.current(node, request.signal)))
      await this.#files.resize(request, node, end);
  }

  async #zero(request: Request, node: Node, { offset, length }: Range): Promise<void> {
    using _ = await node.mutex.acquire(request.signal);
    if (offset >= sizeOf(await this.#view.current(node, request.signal))) return;
    await this.#files.change(node, request.signal, async (save) => {
      await save.content.zero(offset, length, request.signal);
      await this.#core.options.publisher.resized(save);
    });
  }
}

function notInStore(): KodomountError {
  return new KodomountError("NotSupported", "This range is not copied within the store");
}
