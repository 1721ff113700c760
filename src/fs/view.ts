// What is at a name now: what is pending here laid over what the bucket has.

import { KodomountError } from "../base/mod.ts";
import type { RemoteDirectory, RemoteFile } from "../load/mod.ts";
import {
  type Attributes,
  childDirectoryKey,
  childKey,
  type Etag,
  type Key,
  ROOT_KEY,
  S_IFDIR,
} from "../model/mod.ts";
import type { CopyWant, Save, Slot } from "../publish/mod.ts";
import type { Core } from "./core.ts";
import { isReserved, Reserved } from "./reserved.ts";
import type { Node } from "./tree.ts";
import type { Stat } from "./types.ts";

/** What a file's content is at this moment. */
export type Current =
  | { readonly kind: "save"; readonly save: Save }
  | { readonly kind: "copy"; readonly want: CopyWant; readonly slot: Slot }
  | { readonly kind: "remote"; readonly file: RemoteFile }
  /** A pipe or socket: it has no content. */
  | { readonly kind: "local"; readonly attributes: Attributes };

/** What a name stands for. */
export type Found =
  | { readonly kind: "file"; readonly key: Key; readonly current: Current }
  | { readonly kind: "directory"; readonly key: Key };

/** What `ls` shows for a directory: that of most local disks. */
const DIRECTORY_SIZE = 4096;

export class View {
  readonly #core: Core;
  readonly reserved: Reserved;

  constructor(core: Core) {
    this.#core = core;
    this.reserved = new Reserved(core.options.publisher);
  }

  /** What `name` stands for in `parent`. */
  async find(parent: Node, name: string, signal: AbortSignal): Promise<Found | undefined> {
    const { publisher, loader } = this.#core.options;
    const directoryKey = parent.key;
    const fileKey = childKey(directoryKey, name);
    const subdirectoryKey = childDirectoryKey(directoryKey, name);
    if (isReserved(fileKey)) return this.reserved.find(fileKey, subdirectoryKey);
    const resident = parent.children.get(name);
    if (resident?.local !== undefined)
      return {
        kind: "file",
        key: fileKey,
        current: { kind: "local", attributes: resident.local },
      };
    const pending = pendingAt(publisher.find(fileKey));
    if (pending !== undefined && pending !== "absent")
      return { kind: "file", key: fileKey, current: pending };
    if (resident?.kind === "directory" && (resident.pinned || resident.children.size > 0))
      return { kind: "directory", key: subdirectoryKey };
    if (this.hasPending(subdirectoryKey)) return { kind: "directory", key: subdirectoryKey };
    const remote = await loader.find(directoryKey, name, signal);
    if (remote === undefined) return undefined;
    if (remote.kind === "file")
      return pending === "absent"
        ? undefined
        : { kind: "file", key: fileKey, current: { kind: "remote", file: remote } };
    if (await this.isRemoved(remote, signal)) return undefined;
    return { kind: "directory", key: subdirectoryKey };
  }

  /** What the file's content is now; `remote` versions stay the same while a handle is open. */
  async current(node: Node, signal: AbortSignal): Promise<Current> {
    if (node.local !== undefined) return { kind: "local", attributes: node.local };
    if (node.save !== undefined) return { kind: "save", save: node.save };
    if (node.isNameless) return this.#namelessContent(node);
    if (isReserved(node.key)) return this.#reservedContent(node);
    const pending = pendingAt(this.#core.options.publisher.find(node.key));
    if (pending === "absent") throw notThere(node);
    if (pending !== undefined) return pending;
    if (node.remote === undefined || node.handles === 0) await this.#look(node, signal);
    if (node.remote === undefined) throw notThere(node);
    return { kind: "remote", file: node.remote };
  }

  /** Attributes and size of what is current. */
  async stat(node: Node, signal: AbortSignal): Promise<Stat> {
    if (node.kind === "directory")
      return toStat(node, await this.directoryAttributes(node, signal), DIRECTORY_SIZE);
    const current = await this.current(node, signal);
    return toStat(node, await this.attributesOf(node, current, signal), sizeOf(current));
  }

  /** Attributes of what is current, of a file or a directory. */
  async attributes(node: Node, signal: AbortSignal): Promise<Attributes> {
    if (node.kind === "directory") return this.directoryAttributes(node, signal);
    return this.attributesOf(node, await this.current(node, signal), signal);
  }

  async directoryAttributes(node: Node, signal: AbortSignal): Promise<Attributes> {
    const { publisher, loader } = this.#core.options;
    if (node.isNameless) throw notThere(node);
    if (isReserved(node.key))
      return { ...(await loader.directoryAttributes(ROOT_KEY, signal)), mode: S_IFDIR | 0o555 };
    const slot = publisher.find(node.key);
    if (slot?.visible !== undefined) return slot.visible.record.attributes;
    const want = slot?.want;
    if (want?.kind !== "copy") return loader.directoryAttributes(node.key, signal);
    return want.attributes ?? loader.directoryAttributes(want.from, signal);
  }

  async attributesOf(node: Node, current: Current, signal: AbortSignal): Promise<Attributes> {
    switch (current.kind) {
      case "local":
        return current.attributes;
      case "save":
        return current.save.record.attributes;
      case "remote":
        return node.isNameless
          ? current.file.attributes
          : this.remoteAttributes(current.file, signal);
      case "copy": {
        const { want } = current;
        if (want.attributes !== undefined) return want.attributes;
        const listed = {
          etag: want.etag,
          size: want.size,
          lastModifiedMs: this.#core.options.clock.now(),
        };
        return this.#core.options.loader.attributesOf(want.from, listed, signal);
      }
    }
  }

  /** Of a version of an object, as this machine knows them by now. */
  remoteAttributes(file: RemoteFile, signal: AbortSignal): Promise<Attributes> {
    const { key, etag, size, attributes } = file;
    const lastModifiedMs = attributes.ctimeMs ?? attributes.mtimeMs;
    return this.#core.options.loader.attributesOf(key, { etag, size, lastModifiedMs }, signal);
  }

  /** Whether something is pending at a directory's key or below it. */
  hasPending(directoryKey: Key): boolean {
    for (const slot of this.#core.options.publisher.below(directoryKey)) {
      const pending = pendingAt(slot);
      if (pending !== undefined && pending !== "absent") return true;
    }
    return false;
  }

  /** All that the bucket shows of it is about to be deleted by us. */
  async isRemoved(remote: Pick<RemoteDirectory, "key">, signal: AbortSignal): Promise<boolean> {
    const { publisher, loader } = this.#core.options;
    if (this.hasPending(remote.key)) return false;
    const removed = [...publisher.below(remote.key)].some((slot) => pendingAt(slot) === "absent");
    if (!removed) return false;
    for await (const object of loader.below(remote.key, signal))
      if (pendingAt(publisher.find(object.key)) !== "absent") return false;
    return true;
  }

  /** What the bucket has; once more when we have replaced that meanwhile, since who has it open would stay with it. */
  async #look(node: Node, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { commits } = node;
      const file = await this.#core.options.loader.file(node.key, signal);
      if (node.commits !== commits) continue;
      node.remote = file;
      return;
    }
  }

  #reservedContent(node: Node): Current {
    const save = this.reserved.save(node.key);
    if (save === undefined) throw notThere(node);
    return { kind: "save", save };
  }

  #namelessContent(node: Node): Current {
    if (node.remote === undefined) throw notThere(node);
    return { kind: "remote", file: node.remote };
  }
}

/** What is pending at a key: `absent` when it is to be deleted, undefined when nothing is. */
export function pendingAt(
  slot: Slot | undefined,
): Exclude<Current, { kind: "remote" }> | "absent" | undefined {
  if (slot === undefined) return undefined;
  const save = slot.visible;
  if (save !== undefined) return { kind: "save", save };
  if (slot.want?.kind === "copy") return { kind: "copy", want: slot.want, slot };
  return slot.want?.kind === "absent" ? "absent" : undefined;
}

/** Whether both stand for the same version at the same place. */
export function isSameContent(a: Current, b: Current): boolean {
  switch (a.kind) {
    case "save":
      return b.kind === "save" && a.save === b.save;
    case "copy":
      return b.kind === "copy" && a.want.from === b.want.from && a.want.etag === b.want.etag;
    case "local":
      return b.kind === "local";
    case "remote":
      return b.kind === "remote" && a.file.key === b.file.key && a.file.etag === b.file.etag;
  }
}

export function sizeOf(current: Current): number {
  switch (current.kind) {
    case "local":
      return 0;
    case "save":
      return current.save.content.size;
    case "copy":
      return current.want.size;
    case "remote":
      return current.file.size;
  }
}

/** The object of the bucket behind what is current, if there is one. */
export function objectOf(current: Current): { etag: Etag; size: number } | undefined {
  return current.kind === "remote"
    ? { etag: current.file.etag, size: current.file.size }
    : undefined;
}

export function toStat(node: Node, attributes: Attributes, size: number): Stat {
  const mtimeMs = node.entriesMs ?? attributes.mtimeMs;
  // Of a directory, too: 2 would say that it has no directories in it.
  const nlink = node.isNameless ? 0 : 1;
  const { mode, uid, gid, xattrs, ctimeMs = mtimeMs } = attributes;
  // One by one: to spread them takes a third of the time of a listing of thousands.
  const stat = {
    ino: node.ino,
    mode,
    uid,
    gid,
    size,
    nlink,
    mtimeMs,
    ctimeMs: Math.max(ctimeMs, node.changedMs ?? Number.NEGATIVE_INFINITY),
    atimeMs: node.atimeMs ?? mtimeMs,
  };
  return xattrs === undefined ? stat : { ...stat, xattrs };
}

function notThere(node: Node): KodomountError {
  return new KodomountError(
    node.isNameless ? "Stale" : "NotFound",
    `${node.name} is not there any more`,
  );
}
