// Open directories. Entries are given as soon as a page of the listing is there, while the next is fetched.

import { Notifier, newAbort, toError } from "../base/mod.ts";
import { type HandleId, type Ino, S_IFDIR, toIno } from "../model/mod.ts";
import type { Core } from "./core.ts";
import { DirectoryView, type Shown } from "./directory-view.ts";
import type { Feed } from "./handles.ts";
import { nodeFor } from "./place.ts";
import type { Node } from "./tree.ts";
import type { DirectoryEntry, Request, Stat } from "./types.ts";
import { toStat, type View } from "./view.ts";

/** What READDIR says of an entry whose number is not known: libfuse's value. */
const UNKNOWN_INO = toIno(0xffffffff);

export class Directories {
  readonly #core: Core;
  readonly #view: DirectoryView;

  constructor(core: Core, view: View) {
    this.#core = core;
    this.#view = new DirectoryView(core, view);
  }

  opendir(ino: Ino): HandleId {
    const node = this.#core.directory(ino);
    const handle = this.#core.newHandle();
    this.#core.handles.add(handle, { kind: "directory", node, feed: undefined });
    return handle;
  }

  async readdir(request: Request, id: HandleId, cookie: number): Promise<DirectoryEntry[]> {
    const handle = this.#core.handles.directory(id);
    if (cookie === 0 || handle.feed === undefined) {
      handle.feed?.stop();
      handle.feed = new DirectoryFeed(this.#view, handle.node);
    }
    return handle.feed.after(cookie, request.signal);
  }

  /**
   * Attributes of entries of a directory, as far as they are known without asking the store for each; each that is given is
   * one more reference of the kernel.
   */
  async statEntries(
    request: Request,
    id: HandleId,
    entries: readonly DirectoryEntry[],
  ): Promise<(Stat | undefined)[]> {
    const { node: parent } = this.#core.handles.directory(id);
    const found = await this.#view.findListed(parent, entries, request.signal);
    return entries.map(({ name }) => {
      const file = found.get(name);
      if (file === undefined) return undefined;
      const node = nodeFor(this.#core, { parent, name }, file.found);
      node.lookupCount += 1;
      return toStat(node, file.attributes, file.size);
    });
  }

  releasedir(id: HandleId): void {
    const closed = this.#core.handles.remove(id);
    if (closed?.kind !== "directory") return;
    closed.feed?.stop();
    this.#core.tree.prune(closed.node);
  }
}

/** The entries of one open directory, as of its last rewind: filled by a listing that goes on by itself. */
class DirectoryFeed implements Feed {
  readonly #entries: DirectoryEntry[] = [];
  readonly #changed = new Notifier();
  readonly #stop = newAbort();
  #end: { readonly failure?: Error } | undefined;

  constructor(view: DirectoryView, node: Node) {
    const parent = node.parent ?? node;
    this.#add(".", node.ino, { type: S_IFDIR });
    this.#add("..", parent.ino, { type: S_IFDIR });
    view
      .names(node, this.#stop.signal, (names) => {
        for (const [name, shown] of names)
          this.#add(name, node.children.get(name)?.ino ?? UNKNOWN_INO, shown);
        this.#changed.notify();
      })
      .then(() => this.#finish({}))
      .catch((error: unknown) => this.#finish({ failure: toError(error) }));
  }

  async after(cookie: number, signal: AbortSignal): Promise<DirectoryEntry[]> {
    // Not with the first two alone: each call should bring a page.
    while (this.#entries.length <= Math.max(2, cookie) && this.#end === undefined)
      await this.#changed.wait(signal);
    const failure = this.#end?.failure;
    if (failure !== undefined && this.#entries.length <= Math.max(2, cookie)) throw failure;
    return this.#entries.slice(cookie);
  }

  stop(): void {
    this.#stop.abort();
  }

  #add(name: string, ino: Ino, { type, file }: Shown): void {
    const cookie = this.#entries.length + 1;
    this.#entries.push({ name, ino, type, cookie, ...(file === undefined ? {} : { file }) });
  }

  #finish(end: { readonly failure?: Error }): void {
    this.#end = end;
    this.#changed.notify();
  }
}
