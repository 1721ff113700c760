// The parts of one save: which of them are holes, lie in the object underneath, or in the spill, and in which revision.
// Sealed bytes never change: a write to them makes a new revision. Not for two callers at once: `content.ts` takes turns.

import { KodomountError, unreachable } from "../base/mod.ts";
import {
  type Part,
  type PartContent,
  type PartNumber,
  partSizeIn,
  type Rev,
  toRev,
} from "../model/mod.ts";
import type { PartRef } from "../spill/mod.ts";
import { SaveBytes, type SaveBytesOptions } from "./save-bytes.ts";

type Written = PartContent & { readonly kind: "written" };

const HOLE: PartContent = { kind: "hole" };

/** Reads the object that lies underneath; rejects with `Stale` when it is not the same version any more. */
export type ReadBase = (
  offset: number,
  length: number,
  signal?: AbortSignal,
) => Promise<Uint8Array>;

export interface PartFilesOptions extends SaveBytesOptions {
  readonly readBase: ReadBase;
  /** A frozen or sealed part is about to change: what is being sent of it is out of date. */
  readonly onChange: (partNumber: PartNumber) => void;
}

/** Parts go from the spill while the store has them, in three steps: see `PartFiles`. */
export type Eviction = Pick<PartFiles, "evict" | "unevict" | "removeEvicted">;

export class PartFiles {
  readonly #options: PartFilesOptions;
  readonly bytes: SaveBytes;
  /** INVARIANT: a part that is not in it is a hole. */
  readonly #parts = new Map<PartNumber, PartContent>();
  /** Spill files that have bytes no fsync has covered. */
  readonly #unsynced = new Map<PartNumber, Rev>();
  /** Became holes; the catalog may still have a record of them. */
  readonly #dropped = new Set<PartNumber>();
  #rev = 0;
  #isSyncing = false;

  constructor(options: PartFilesOptions) {
    this.#options = options;
    this.bytes = new SaveBytes(options);
  }

  get(partNumber: PartNumber): PartContent {
    return this.#parts.get(partNumber) ?? HOLE;
  }

  set(partNumber: PartNumber, content: PartContent): void {
    this.#parts.set(partNumber, content);
    if ("rev" in content) this.#rev = Math.max(this.#rev, content.rev);
  }

  /** No part of it ever got bytes of its own. */
  get isUntouched(): boolean {
    return ![...this.#parts.values()].some((content) => "rev" in content);
  }

  /** Bytes of it are at the store only. */
  get isEvicted(): boolean {
    return [...this.#parts.values()].some(
      (content) => content.kind === "sealed" && content.at === "evicted",
    );
  }

  entries(): readonly (readonly [PartNumber, PartContent])[] {
    return [...this.#parts];
  }

  path(partNumber: PartNumber, rev: Rev): string {
    return this.bytes.path(this.#ref(partNumber, rev));
  }

  /** Starts with what `other` has; its files are shared by hard links. All its parts must be frozen. */
  async startFrom(other: PartFiles): Promise<void> {
    this.#rev = other.#rev;
    for (const [partNumber, content] of other.#parts) {
      assertHere(partNumber, content);
      if ("rev" in content) {
        const { rev } = content;
        const [from, to] = [other.#ref(partNumber, rev), this.#ref(partNumber, rev)];
        await this.bytes.forkFrom(other.bytes, from, to);
        if (other.bytes.isInMemory) this.#unsynced.set(partNumber, rev);
      }
      this.#parts.set(partNumber, content);
    }
    for (const [partNumber, rev] of other.#unsynced) this.#unsynced.set(partNumber, rev);
  }

  /** Writes into a part that `makeWritable` has given. */
  async write(
    partNumber: PartNumber,
    written: Written,
    within: number,
    data: Uint8Array,
  ): Promise<void> {
    await this.bytes.write(this.#ref(partNumber, written.rev), within, data);
    this.#unsynced.set(partNumber, written.rev);
    const { filled } = written;
    const end = within + data.length;
    const next = within <= filled ? Math.max(filled, end) : filled;
    this.#parts.set(partNumber, { ...written, filled: next });
  }

  /** Cuts the part to its first `size` bytes. */
  async cut(partNumber: PartNumber, written: Written, size: number): Promise<void> {
    await this.bytes.setSize(this.#ref(partNumber, written.rev), size);
    const filled = Math.min(written.filled, size);
    this.#parts.set(partNumber, { ...written, filled });
  }

  /** The part becomes a hole. */
  async drop(partNumber: PartNumber): Promise<void> {
    const content = this.get(partNumber);
    this.#options.onChange(partNumber);
    this.#parts.delete(partNumber);
    this.#dropped.add(partNumber);
    this.#unsynced.delete(partNumber);
    if ("rev" in content) await this.bytes.remove(this.#ref(partNumber, content.rev));
  }

  /** Parts that have become holes since this was asked last, and still are. */
  takeDropped(): PartNumber[] {
    const dropped = [...this.#dropped].filter((partNumber) => !this.#parts.has(partNumber));
    this.#dropped.clear();
    return dropped;
  }

  /** What was written survives a loss of power. */
  async sync(): Promise<void> {
    const refs = [...this.#unsynced].map(([partNumber, rev]) => this.#ref(partNumber, rev));
    this.#isSyncing = true;
    try {
      await this.bytes.sync(refs);
    } finally {
      this.#isSyncing = false;
    }
    for (const { partNumber, rev } of refs)
      if (this.#unsynced.get(partNumber) === rev) this.#unsynced.delete(partNumber);
  }

  /** The part as `written`, whatever it was before; `[within, within + length)` is about to be overwritten. */
  async makeWritable(
    part: Part,
    range: { within: number; length: number; fileSize: number },
    signal?: AbortSignal,
  ): Promise<Written> {
    const { within, length, fileSize } = range;
    const content = this.get(part.partNumber);
    switch (content.kind) {
      case "hole":
        return this.#newFile();
      case "base": {
        const whole = within === 0 && length >= partSizeIn(part, fileSize);
        return whole ? this.#newFile() : this.fetchBase(part, fileSize, signal);
      }
      case "written":
        return within < content.shared ? this.#unshare(part.partNumber, content) : content;
      case "frozen":
      case "sealed":
        assertHere(part.partNumber, content);
        return this.#newRevision(
          part.partNumber,
          content,
          within >= content.size ? "link" : "copy",
        );
      default:
        return unreachable(content);
    }
  }

  /**
   * A revision that may be written to. Bytes behind the sealed ones may be appended to the same file (`link`): who sends
   * or reads the sealed revision looks at its `size` first bytes only. Anything else needs a copy.
   */
  async #newRevision(
    partNumber: PartNumber,
    content: { rev: Rev; size: number },
    how: "link" | "copy",
  ): Promise<Written> {
    const rev = this.#nextRev();
    await this.bytes.fork(this.#ref(partNumber, content.rev), this.#ref(partNumber, rev), how);
    // What a discarded save appended to the same file must not show up in a gap.
    if (how === "link") await this.bytes.setSize(this.#ref(partNumber, rev), content.size);
    this.#unsynced.set(partNumber, rev);
    const shared = how === "link" ? content.size : 0;
    const written = { kind: "written", rev, filled: content.size, shared } as const;
    // Before the old file goes: who sends a part looks here at any moment, and must not find it under a file that is gone.
    this.#parts.set(partNumber, written);
    this.#options.onChange(partNumber);
    await this.bytes.remove(this.#ref(partNumber, content.rev));
    return written;
  }

  /** A copy of the file, since another revision shares its first bytes and they are about to change. */
  async #unshare(partNumber: PartNumber, content: Written): Promise<Written> {
    const written = { ...content, rev: this.#nextRev(), shared: 0 };
    const before = this.#ref(partNumber, content.rev);
    await this.bytes.fork(before, this.#ref(partNumber, written.rev), "copy");
    await this.bytes.remove(before);
    this.#unsynced.set(partNumber, written.rev);
    this.#parts.set(partNumber, written);
    return written;
  }

  /** A part that gets its first file. */
  #newFile(): Written {
    return { kind: "written", rev: this.#nextRev(), filled: 0, shared: 0 };
  }

  /** Fetches the part's bytes from the object underneath: once, whatever is written to it later. */
  async fetchBase(part: Part, fileSize: number, signal?: AbortSignal): Promise<Written> {
    const size = partSizeIn(part, fileSize);
    const bytes = await this.#options.readBase(part.offset, size, signal);
    const written = { ...this.#newFile(), filled: size };
    await this.bytes.write(this.#ref(part.partNumber, written.rev), 0, bytes);
    this.#unsynced.set(part.partNumber, written.rev);
    this.#parts.set(part.partNumber, written);
    return written;
  }

  /**
   * From now on only the store has it. Its file is still there: `removeEvicted` removes it, once that is recorded.
   * @returns false when it is not sealed, or being made durable at this moment.
   */
  evict(partNumber: PartNumber): boolean {
    const content = this.get(partNumber);
    if (content.kind !== "sealed" || content.at === "evicted" || this.#isSyncing) return false;
    this.#parts.set(partNumber, { ...content, at: "evicted" });
    this.#unsynced.delete(partNumber);
    return true;
  }

  async removeEvicted(partNumber: PartNumber): Promise<void> {
    const content = this.get(partNumber);
    if (content.kind === "sealed" && content.at === "evicted")
      await this.bytes.remove(this.#ref(partNumber, content.rev));
  }

  /** It could not be recorded: the file is what it was. */
  unevict(partNumber: PartNumber): void {
    const content = this.get(partNumber);
    if (content.kind !== "sealed" || content.at !== "evicted") return;
    this.#parts.set(partNumber, { ...content, at: "spill" });
    this.#unsynced.set(partNumber, content.rev);
  }

  /** Fills `into`, which is zeros, from the part's byte `within` on. */
  async read(part: Part, within: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const content = this.get(part.partNumber);
    switch (content.kind) {
      case "hole":
        return; // `into` is zeros already
      case "base":
        into.set(await this.#options.readBase(part.offset + within, into.length, signal));
        return;
      case "written":
      case "frozen":
      case "sealed":
        assertHere(part.partNumber, content);
        return this.bytes.read(this.#ref(part.partNumber, content.rev), within, into);
      default:
        return unreachable(content);
    }
  }

  /** From here on its bytes change only under a new revision. @param size of the part in its file. */
  async freeze(partNumber: PartNumber, size: number): Promise<void> {
    const content = this.get(partNumber);
    switch (content.kind) {
      case "base":
      case "frozen":
      case "sealed":
        return;
      case "hole":
      case "written": {
        const rev = content.kind === "hole" ? this.#nextRev() : content.rev;
        if (content.kind === "hole" || content.filled < size) {
          await this.bytes.setSize(this.#ref(partNumber, rev), size);
          this.#unsynced.set(partNumber, rev);
        }
        this.#parts.set(partNumber, { kind: "frozen", rev, size });
        return;
      }
      default:
        return unreachable(content);
    }
  }

  #ref(partNumber: PartNumber, rev: Rev): PartRef {
    return { save: this.#options.save, partNumber, rev };
  }

  #nextRev(): Rev {
    this.#rev += 1;
    return toRev(this.#rev);
  }
}

/** @throws `Evicted` when only the store has it. */
function assertHere(partNumber: PartNumber, content: PartContent): void {
  if (content.kind === "sealed" && content.at === "evicted")
    throw new KodomountError(
      "Evicted",
      `Part ${partNumber} was sent and is not kept here, since the file is larger than the spill has room for: until its close it cannot be read or changed; see '--spill-limit'`,
    );
}
