// Attributes of files and directories, wherever they are kept at the moment: with the save that is pending, so that they
// reach the object's metadata; with the copy that a rename has ordered; in the catalog afterwards.

import { anySignal } from "../base/mod.ts";
import { type Attributes, type Etag, S_IFMT, toEtag } from "../model/mod.ts";
import type { Slot } from "../publish/mod.ts";
import type { Core } from "./core.ts";
import { lookAgain } from "./look-again.ts";
import type { Node } from "./tree.ts";
import type { AttributeChanges, Request } from "./types.ts";
import type { View } from "./view.ts";

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o010;
/** How long a change waits for the one request that is under way for its directory. */
const SENDING_WAIT_MS = 3000;
/** For a directory of which the bucket has no marker of ours: it has no version. */
const NO_ETAG = toEtag("-");

export class NodeAttributes {
  readonly #core: Core;
  readonly #view: View;

  constructor(core: Core, view: View) {
    this.#core = core;
    this.#view = view;
  }

  /** What SETATTR asks for, but the size. */
  async set(request: Request, node: Node, changes: AttributeChanges): Promise<void> {
    const { mode, uid, gid, mtimeMs, atimeMs, killPrivileges } = changes;
    if (atimeMs !== undefined) {
      node.atimeMs = this.#time(atimeMs);
      node.changedMs = this.#core.options.clock.now();
    }
    if ([mode, uid, gid, mtimeMs].every((each) => each === undefined) && !killPrivileges) return;
    // A time that is set holds against that of the last change of an entry.
    const entriesMs = mtimeMs === undefined ? node.entriesMs : undefined;
    await this.change(request.signal, node, (before) => ({
      ...before,
      mode: newMode(before.mode, changes),
      uid: uid ?? before.uid,
      gid: gid ?? before.gid,
      mtimeMs: mtimeMs === undefined ? (entriesMs ?? before.mtimeMs) : this.#time(mtimeMs),
    }));
    node.entriesMs = undefined;
  }

  /** Replaces them by what `make` makes of them, and says that they were changed now. */
  async change(
    signal: AbortSignal,
    node: Node,
    make: (before: Attributes) => Attributes,
  ): Promise<void> {
    using _ = await node.attributing.acquire(signal);
    const change = (before: Attributes): Attributes => ({
      ...make(before),
      ctimeMs: this.#core.options.clock.now(),
    });
    await lookAgain(node.name, () =>
      node.kind === "directory"
        ? this.#changeDirectory(node, change, signal)
        : this.#changeFile(node, change, signal),
    );
  }

  /** @returns false when they are kept elsewhere by now: look again. */
  async #changeFile(
    node: Node,
    change: (before: Attributes) => Attributes,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { publisher, catalog } = this.#core.options;
    const { commits } = node;
    const current = await this.#view.current(node, signal);
    if (current.kind === "local") {
      node.local = change(current.attributes);
      return true;
    }
    if (current.kind === "save") {
      const isKept = await publisher.changeAttributes(current.save, change);
      return isKept || node.isNameless;
    }
    const before = await this.#view.attributesOf(node, current, signal);
    if (current.kind === "copy")
      return publisher.changeCopyAttributes(current.slot, current.want, change(before));
    const { key, etag, size } = current.file;
    const attributes = change(before);
    if (!node.isNameless) {
      const known = await catalog.findObject(key);
      const slot = publisher.find(key);
      if (slot?.isCopying) return slot.changed.wait(signal).then(() => false);
      const isOther = node.key !== key || node.commits !== commits;
      if (isOther || isPending(this.#core, node)) return false;
      const same = known?.etag === etag ? known : undefined;
      const record = { key, etag, size, attributes, parts: same?.parts ?? [], plan: same?.plan };
      await publisher.changeObjectAttributes(record);
    }
    if (node.commits === commits) node.remote = { ...current.file, attributes };
    return true;
  }

  /**
   * Its marker is empty: with new attributes it is put once more, and what changes until it is sent goes along. A directory
   * without a marker of ours has no version: what the catalog says of it holds until it is removed.
   */
  async #changeDirectory(
    node: Node,
    change: (before: Attributes) => Attributes,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { publisher, catalog } = this.#core.options;
    const { key } = node;
    const slot = publisher.find(key);
    if (slot?.visible !== undefined)
      return (
        !(await isSentMeanwhile(slot, signal)) && publisher.changeAttributes(slot.visible, change)
      );
    const before = await this.#view.directoryAttributes(node, signal);
    if (slot?.want?.kind === "copy")
      return publisher.changeCopyAttributes(slot, slot.want, change(before));
    const known = await catalog.findObject(key);
    if (node.isNameless || node.key !== key || isPending(this.#core, node)) return false;
    const attributes = change(before);
    if (known !== undefined && known.etag !== NO_ETAG)
      return this.#putAgain(node, attributes, known.etag);
    const record = { key, etag: NO_ETAG, size: 0, attributes, parts: [], plan: undefined };
    await catalog.apply([{ put: "object", record }], { sync: false });
    return true;
  }

  async #putAgain(node: Node, attributes: Attributes, etag: Etag): Promise<boolean> {
    const { publisher } = this.#core.options;
    const origin = { kind: "empty", base: { kind: "object", etag, size: 0 } } as const;
    const save = await publisher.begin({ key: node.key, ino: node.ino, attributes, origin });
    if (save === undefined) return false;
    try {
      await publisher.close(save, { durable: true });
    } catch (error) {
      // Nobody has it open who could close it once more.
      await publisher.discard(save);
      throw error;
    }
    return true;
  }

  #time(value: number | "now"): number {
    return value === "now" ? this.#core.options.clock.now() : value;
  }
}

/** Whether a request with the attributes of before was under way and has ended. It is not waited for without end. */
async function isSentMeanwhile(slot: Slot, signal: AbortSignal): Promise<boolean> {
  if (slot.closed?.record.state.kind !== "completing") return false;
  try {
    await slot.changed.wait(anySignal(signal, AbortSignal.timeout(SENDING_WAIT_MS)));
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    return false;
  }
}

function isPending(core: Core, node: Node): boolean {
  const slot = core.options.publisher.find(node.key);
  return slot?.visible !== undefined || slot?.want?.kind === "copy";
}

function newMode(before: number, changes: AttributeChanges): number {
  const mode = changes.mode === undefined ? before : (before & S_IFMT) | (changes.mode & ~S_IFMT);
  if (!changes.killPrivileges) return mode;
  return mode & ~S_ISUID & ~((mode & S_IXGRP) === 0 ? 0 : S_ISGID);
}
