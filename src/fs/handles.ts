// What is open: one entry an open(2), however many descriptors share it.

import { KodomountError } from "../base/mod.ts";
import type { HandleId } from "../model/mod.ts";
import type { Node } from "./tree.ts";
import type { DirectoryEntry } from "./types.ts";

export interface FileHandle {
  readonly kind: "file";
  readonly node: Node;
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  /** Thread group of the opening process; undefined when /proc did not tell. */
  readonly opener: Promise<number | undefined>;
}

/** Entries of a directory that are still coming in. */
export interface Feed {
  /** Those behind `cookie`: at least one, unless there are no more. */
  after(cookie: number, signal: AbortSignal): Promise<DirectoryEntry[]>;
  stop(): void;
}

export interface DirectoryHandle {
  readonly kind: "directory";
  readonly node: Node;
  /** As of the last READDIR from the start; undefined before it. */
  feed: Feed | undefined;
}

export class Handles {
  readonly #open = new Map<HandleId, FileHandle | DirectoryHandle>();

  add(id: HandleId, handle: FileHandle | DirectoryHandle): void {
    this.#open.set(id, handle);
    handle.node.handles += 1;
  }

  file(id: HandleId): FileHandle {
    const handle = this.#open.get(id);
    if (handle?.kind !== "file")
      throw new KodomountError("BadHandle", `File handle ${id} is not open`);
    return handle;
  }

  directory(id: HandleId): DirectoryHandle {
    const handle = this.#open.get(id);
    if (handle?.kind !== "directory")
      throw new KodomountError("BadHandle", `Directory handle ${id} is not open`);
    return handle;
  }

  remove(id: HandleId): FileHandle | DirectoryHandle | undefined {
    const handle = this.#open.get(id);
    if (handle === undefined) return undefined;
    this.#open.delete(id);
    handle.node.handles -= 1;
    return handle;
  }

  all(): HandleId[] {
    return [...this.#open.keys()];
  }

  get size(): number {
    return this.#open.size;
  }
}
