// What a directory shows: what the bucket lists, with what is pending here laid over it.

import type { ListedFile } from "../load/mod.ts";
import {
  type Attributes,
  childDirectoryKey,
  childKey,
  type Key,
  nameOf,
  ROOT_KEY,
  S_IFDIR,
  S_IFMT,
} from "../model/mod.ts";
import type { Slot } from "../publish/mod.ts";
import type { Core } from "./core.ts";
import { isReserved, RESERVED } from "./reserved.ts";
import type { Node } from "./tree.ts";
import { type Found, pendingAt, type View } from "./view.ts";

/** What a directory shows of a name: `S_IFMT` bits, 0 when they are not known without asking for it. */
export interface Shown {
  readonly type: number;
  /** As the listing has it. */
  readonly file?: ListedFile;
}

/** An entry with what is known of it. */
export interface KnownEntry {
  readonly found: Found;
  readonly attributes: Attributes;
  readonly size: number;
}

export class DirectoryView {
  readonly #core: Core;
  readonly #view: View;

  constructor(core: Core, view: View) {
    this.#core = core;
    this.#view = view;
  }

  /**
   * Names in a directory. `onMore` is told of them page by page, of each once; what is pending here comes first.
   * @returns all of them.
   */
  async names(
    node: Node,
    signal: AbortSignal,
    onMore: (names: ReadonlyMap<string, Shown>) => void = () => {},
  ): Promise<Map<string, Shown>> {
    const { publisher, loader } = this.#core.options;
    const directoryKey = node.key;
    const all = new Map<string, Shown>();
    const give = (names: ReadonlyMap<string, Shown>): void => {
      // A key of that name would hide what is interrupted.
      const isShown = (name: string): boolean =>
        !all.has(name) && !(directoryKey === ROOT_KEY && name === RESERVED);
      const fresh = new Map([...names].filter(([name]) => isShown(name)));
      for (const [name, shown] of fresh) all.set(name, shown);
      if (fresh.size > 0) onMore(fresh);
    };
    if (isReserved(directoryKey)) {
      give(this.#view.reserved.names(directoryKey));
      return all;
    }
    give(this.#ownNames(node));
    await loader.list(directoryKey, signal, async ({ files, directories }) => {
      const names = new Map<string, Shown>();
      for (const [name, file] of files)
        if (pendingAt(publisher.find(childKey(directoryKey, name))) !== "absent")
          names.set(name, { type: 0, file });
      for (const name of directories) {
        const remote = { kind: "directory", key: childDirectoryKey(directoryKey, name) } as const;
        if (!(await this.#view.isRemoved(remote, signal))) names.set(name, { type: S_IFDIR });
      }
      give(names);
    });
    // What was made while the store was asked, and is not in its answers yet.
    give(this.#ownNames(node));
    return all;
  }

  /** Names in a directory that are here, whatever the bucket has. */
  #ownNames(node: Node): Map<string, Shown> {
    const { publisher } = this.#core.options;
    const names = new Map<string, Shown>();
    for (const [name, child] of node.children) {
      if (child.local !== undefined) names.set(name, { type: child.local.mode & S_IFMT });
      else if (child.kind === "directory" && (child.pinned || child.children.size > 0))
        names.set(name, { type: S_IFDIR });
    }
    for (const slot of publisher.below(node.key)) addPending(names, node.key, slot);
    return names;
  }

  /** What is known of entries of a directory, as `readdir` gave them, without asking the store for each. */
  async findListed(
    parent: Node,
    entries: readonly { name: string; file?: ListedFile }[],
    signal: AbortSignal,
  ): Promise<Map<string, KnownEntry>> {
    const { publisher, loader } = this.#core.options;
    const known = new Map<string, KnownEntry>();
    if (isReserved(parent.key)) return known;
    const listed: [string, ListedFile][] = [];
    for (const { name, file } of entries) {
      const key = childKey(parent.key, name);
      const pending = pendingAt(publisher.find(key));
      const resident = parent.children.get(name);
      // Whoever has it open sees what it has open: that is told by a lookup.
      if (resident !== undefined && (resident.local !== undefined || resident.handles > 0))
        continue;
      if (pending === undefined && file !== undefined) listed.push([name, file]);
      else if (pending !== undefined && pending !== "absent" && pending.kind === "save")
        known.set(name, {
          found: { kind: "file", key, current: pending },
          attributes: pending.save.record.attributes,
          size: pending.save.content.size,
        });
    }
    for (const file of await loader.known(parent.key, listed)) {
      signal.throwIfAborted();
      const { key, size, attributes } = file;
      // Of ours since: it is told by a lookup.
      if (pendingAt(publisher.find(key)) !== undefined) continue;
      const current = { kind: "remote", file } as const;
      known.set(nameOf(key), { found: { kind: "file", key, current }, attributes, size });
    }
    return known;
  }
}

function addPending(names: Map<string, Shown>, directoryKey: Key, slot: Slot): void {
  const pending = pendingAt(slot);
  if (pending === undefined || pending === "absent" || slot.key === directoryKey) return;
  const rest = slot.key.slice(directoryKey.length);
  const slash = rest.indexOf("/");
  if (slash >= 0) names.set(rest.slice(0, slash), { type: S_IFDIR });
  else
    names.set(nameOf(slot.key), {
      type: pending.kind === "save" ? pending.save.record.attributes.mode & S_IFMT : 0,
    });
}
