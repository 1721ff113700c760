// Everything that is pending at one key: at most one open and one closed save, what an interrupted one left, a wanted copy
// or deletion, and the upload that belongs to the key whoever sends into it.

import { Notifier } from "../base/mod.ts";
import type { Key, Want } from "../model/mod.ts";
import type { Save } from "./save.ts";
import type { Upload } from "./upload.ts";

export type CopyWant = Want & { readonly kind: "copy" };

export class Slot {
  readonly key: Key;
  open: Save | undefined;
  /** Closed, held, completing or parked. */
  closed: Save | undefined;
  /** Closed while the completing request of `closed` is under way: takes its place when that has ended, however. */
  next: Save | undefined;
  interrupted: Save | undefined;
  /** A save under a held name that will be renamed to this key: its parts go to this key's upload. */
  guest: Save | undefined;
  upload: Upload | undefined;
  /** The upload that is being created, so that it is created once. */
  creating: Promise<Upload> | undefined;
  /** Look at the bucket before anything is published: it was loaded at start, or waited too long. */
  look = false;
  /** The object is being copied onto itself, with other metadata: it becomes another version at any moment. */
  isCopying = false;
  /** A driver is at work; `again`: it must look once more before it ends. */
  driving = false;
  again = false;
  /** What went wrong last, for `status`. */
  lastError: string | undefined;
  /** Told at every change of what is pending here. */
  readonly changed: Notifier = new Notifier();

  #want: Want | undefined;
  readonly #copiers: Map<Key, Set<Slot>>;

  /** @param copiers the index of who wants a copy of which key. */
  constructor(key: Key, copiers: Map<Key, Set<Slot>>) {
    this.key = key;
    this.#copiers = copiers;
  }

  get want(): Want | undefined {
    return this.#want;
  }

  set want(want: Want | undefined) {
    if (this.#want?.kind === "copy") {
      const others = this.#copiers.get(this.#want.from);
      others?.delete(this);
      if (others?.size === 0) this.#copiers.delete(this.#want.from);
    }
    this.#want = want;
    if (want?.kind === "copy")
      this.#copiers.set(want.from, (this.#copiers.get(want.from) ?? new Set()).add(this));
  }

  get isEmpty(): boolean {
    return !(
      this.open ||
      this.closed ||
      this.next ||
      this.interrupted ||
      this.guest ||
      this.want ||
      this.upload ||
      this.creating ||
      this.driving
    );
  }

  /** What a reader of this key sees instead of the object, if anything is pending: identity tells whether it changed. */
  get content(): Save | CopyWant | undefined {
    return this.visible ?? (this.#want?.kind === "copy" ? this.#want : undefined);
  }

  /** The save whose content a reader of this key sees, if one is pending. */
  get visible(): Save | undefined {
    return this.open?.isReady ? this.open : this.newestClosed;
  }

  /** Parts of what is being written may go to the upload: nothing that was closed earlier needs it as it is. */
  get mayRunAhead(): boolean {
    const { closed } = this;
    const state = closed?.record.state;
    if (closed === undefined || state?.kind === "held") return true;
    return state?.kind === "parked" && (state.why === "NoSuchUpload" || !closed.content.isEvicted);
  }

  /** What was closed last, if it is pending. */
  get newestClosed(): Save | undefined {
    return this.next ?? this.closed;
  }
}
