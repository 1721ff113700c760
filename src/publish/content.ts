// The content of one save: which part is a hole, is the object underneath, or lies in the spill, and how a write, a
// truncation or a seal changes that. Sealed bytes never change: a later write makes a new revision of its part.

import { invariant, KodomountError, Mutex, step, unreachable } from "../base/mod.ts";
import {
  type Part,
  type PartContent,
  type PartNumber,
  type PartPlan,
  partAt,
  partCount,
  partOfNumber,
  partSizeIn,
  type Rev,
  type SaveId,
  type Sealed,
  type Sha256,
  toPartNumber,
  toRev,
} from "../model/mod.ts";
import type { PartRef, Spill } from "../spill/mod.ts";

type Written = PartContent & { readonly kind: "written" };

const HOLE: PartContent = { kind: "hole" };
const BASE: PartContent = { kind: "base" };

/** Reads the object that lies underneath; rejects with `Stale` when it is not the same version any more. */
export type ReadBase = (
  offset: number,
  length: number,
  signal?: AbortSignal,
) => Promise<Uint8Array>;

export interface ContentOptions {
  readonly save: SaveId;
  readonly plan: PartPlan;
  readonly spill: Spill;
  readonly readBase: ReadBase;
  /** A frozen or sealed part is about to change: what is being sent of it is out of date. */
  readonly onChange: (partNumber: PartNumber) => void;
  /** A part was frozen: it can be sent. */
  readonly onFrozen: () => void;
}

export class Content {
  readonly #options: ContentOptions;
  readonly #mutex = new Mutex();
  /** INVARIANT: a part that is not in it, or lies beyond the size, is a hole. */
  readonly #parts = new Map<PartNumber, PartContent>();
  /** Spill files that have bytes no fsync has covered. */
  readonly #unsynced = new Map<PartNumber, Rev>();
  #size = 0;
  #rev = 0;
  #lastWritten: PartNumber | undefined;
  #freed = false;
  /** Frozen while the file is being written, and not taken to be sent yet. */
  readonly #fresh = new Set<PartNumber>();

  constructor(options: ContentOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  get partCount(): number {
    return partCount(this.#options.plan, this.#size);
  }

  part(partNumber: PartNumber): PartContent {
    return this.#parts.get(partNumber) ?? HOLE;
  }

  /** Numbers of all parts, ascending. */
  partNumbers(): PartNumber[] {
    return Array.from({ length: this.partCount }, (_, index) => toPartNumber(index + 1));
  }

  /** The part's place in the file, cut to the file's size. */
  extent(partNumber: PartNumber): { offset: number; size: number } {
    const part = partOfNumber(this.#options.plan, partNumber);
    return { offset: part.offset, size: partSizeIn(part, this.#size) };
  }

  /** Where the spill has the bytes of a frozen or sealed part. */
  pathOf(partNumber: PartNumber, rev: Rev): string {
    return this.#options.spill.path(this.#ref(partNumber, rev));
  }

  /** Parts that were frozen since this was asked last. */
  takeFrozen(): PartNumber[] {
    const fresh = [...this.#fresh];
    this.#fresh.clear();
    return fresh;
  }

  /** Starts as the object underneath, of `size` bytes; nothing is fetched. */
  startFromBase(size: number): void {
    this.#size = size;
    for (const partNumber of this.partNumbers()) this.#parts.set(partNumber, BASE);
  }

  /** Starts as found on disk after a restart. Parts without a hash are hashed anew. */
  restore(size: number, parts: Iterable<readonly [PartNumber, PartContent]>): void {
    this.#size = size;
    for (const [partNumber, content] of parts) {
      this.#parts.set(partNumber, content);
      if ("rev" in content) this.#rev = Math.max(this.#rev, content.rev);
    }
  }

  /**
   * Starts with what `other` has; spill files are shared by hard links. `other` must be frozen as a whole.
   * @returns false when `other` has been freed: its content is in the bucket by now.
   */
  async startFrom(other: Content): Promise<boolean> {
    using _ = await other.#mutex.acquire();
    if (other.#freed) return false;
    const { spill } = this.#options;
    this.#size = other.#size;
    this.#rev = other.#rev;
    for (const [partNumber, content] of other.#parts) {
      if ("rev" in content)
        await spill.fork(
          other.#ref(partNumber, content.rev),
          this.#ref(partNumber, content.rev),
          "link",
        );
      this.#parts.set(partNumber, content);
    }
    for (const [partNumber, rev] of other.#unsynced) this.#unsynced.set(partNumber, rev);
    return true;
  }

  /** Removes everything from the spill; reads answer undefined from now on. */
  async free(): Promise<void> {
    using _ = await this.#mutex.acquire();
    this.#freed = true;
    await this.#options.spill.removeSave(this.#options.save);
  }

  /** Writes `data` at `offset`; waits for room in the spill and, in a part of the object underneath, for its bytes. */
  async write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void> {
    using _ = await this.#mutex.acquire(signal);
    if (data.length === 0) return;
    // Refuses a size beyond the plan before anything is changed.
    partAt(this.#options.plan, offset + data.length - 1);
    if (offset > this.#size) await this.#resize(offset, signal);
    for (let done = 0; done < data.length; ) {
      const part = partAt(this.#options.plan, offset + done);
      const within = offset + done - part.offset;
      const piece = data.subarray(done, done + Math.min(data.length - done, part.size - within));
      await this.#writePart(part, within, piece, signal);
      done += piece.length;
      this.#size = Math.max(this.#size, offset + done);
    }
  }

  /** Makes the file `size` bytes long: new bytes are zeros. */
  async truncate(size: number, signal?: AbortSignal): Promise<void> {
    using _ = await this.#mutex.acquire(signal);
    if (size > 0) partAt(this.#options.plan, size - 1);
    await this.#resize(size, signal);
  }

  /** `length` bytes, fewer at the end of the file; undefined when the content has been freed: look again where it is now. */
  async read(
    offset: number,
    length: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    using _ = await this.#mutex.acquire(signal);
    if (this.#freed) return undefined;
    const end = Math.min(offset + length, this.#size);
    const bytes = Buffer.alloc(Math.max(0, end - offset));
    for (let done = 0; done < bytes.length; ) {
      const part = partAt(this.#options.plan, offset + done);
      const within = offset + done - part.offset;
      const piece = bytes.subarray(done, done + Math.min(bytes.length - done, part.size - within));
      await this.#readPart(part, within, piece, signal);
      done += piece.length;
    }
    return bytes;
  }

  /** Freezes every part: from here on a write makes new revisions. */
  async freezeAll(): Promise<void> {
    using _ = await this.#mutex.acquire();
    for (const partNumber of this.partNumbers()) await this.#freeze(partNumber);
  }

  /** Brings the bytes of a part that lies underneath into the spill, so that it can be sent. */
  async materialize(partNumber: PartNumber, signal?: AbortSignal): Promise<void> {
    using _ = await this.#mutex.acquire(signal);
    if (this.part(partNumber).kind !== "base") return;
    await this.#fetchBase(partOfNumber(this.#options.plan, partNumber), signal);
    await this.#freeze(partNumber);
  }

  /** Notes the hash of a frozen part. False when the part has changed meanwhile: the hash is of no use. */
  seal(partNumber: PartNumber, rev: Rev, sha256: Sha256): Sealed | undefined {
    const content = this.part(partNumber);
    if (content.kind === "sealed" && content.rev === rev) return content;
    if (content.kind !== "frozen" || content.rev !== rev) return undefined;
    const sealed: Sealed = { kind: "sealed", rev, size: content.size, sha256 };
    this.#parts.set(partNumber, sealed);
    step("part.sealed");
    return sealed;
  }

  /** Makes what was written so far survive a loss of power. @throws `Io` when the disk says no; never try again. */
  async sync(): Promise<void> {
    using _ = await this.#mutex.acquire();
    const refs = [...this.#unsynced].map(([partNumber, rev]) => this.#ref(partNumber, rev));
    await this.#options.spill.sync(this.#options.save, refs);
    for (const { partNumber, rev } of refs)
      if (this.#unsynced.get(partNumber) === rev) this.#unsynced.delete(partNumber);
  }

  /** Throws when the table contradicts itself; for property tests. */
  checkInvariants(): void {
    const { plan } = this.#options;
    for (const [partNumber, content] of this.#parts) {
      const size = partSizeIn(partOfNumber(plan, partNumber), this.#size);
      invariant(size > 0 || content.kind === "hole", `part ${partNumber} lies within the file`);
      if (content.kind === "written")
        invariant(content.filled <= size, `part ${partNumber} is not filled beyond its size`);
      if (content.kind === "frozen" || content.kind === "sealed")
        invariant(
          content.size === size,
          `part ${partNumber} is sealed at its size ${size}: ${content.size}`,
        );
    }
  }

  #ref(partNumber: PartNumber, rev: Rev): PartRef {
    return { save: this.#options.save, partNumber, rev };
  }

  #nextRev(): Rev {
    this.#rev += 1;
    return toRev(this.#rev);
  }

  async #writePart(
    part: Part,
    within: number,
    data: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    const { partNumber } = part;
    const before = this.#lastWritten;
    if (before !== undefined && before !== partNumber) await this.#freezeIfFull(before);
    this.#lastWritten = partNumber;
    const { rev, filled, shared } = await this.#makeWritable(part, within, data.length, signal);
    await this.#options.spill.write(this.#ref(partNumber, rev), within, data);
    this.#unsynced.set(partNumber, rev);
    const end = within + data.length;
    this.#parts.set(partNumber, {
      kind: "written",
      rev,
      filled: within <= filled ? Math.max(filled, end) : filled,
      shared,
    });
  }

  /** The part as `written`, whatever it was before; `[within, within + length)` is about to be overwritten. */
  async #makeWritable(
    part: Part,
    within: number,
    length: number,
    signal?: AbortSignal,
  ): Promise<Written> {
    const content = this.part(part.partNumber);
    switch (content.kind) {
      case "hole":
        await this.#startPart(signal);
        return this.#newFile();
      case "base": {
        const whole = within === 0 && length >= partSizeIn(part, this.#size);
        if (!whole) return this.#fetchBase(part, signal);
        await this.#startPart(signal);
        return this.#newFile();
      }
      case "written":
        return within < content.shared ? this.#unshare(part.partNumber, content) : content;
      case "frozen":
      case "sealed":
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
    await this.#options.spill.fork(
      this.#ref(partNumber, content.rev),
      this.#ref(partNumber, rev),
      how,
    );
    // What a discarded save appended to the same file must not show up in a gap.
    if (how === "link") await this.#options.spill.setSize(this.#ref(partNumber, rev), content.size);
    this.#options.onChange(partNumber);
    await this.#options.spill.remove(this.#ref(partNumber, content.rev));
    this.#unsynced.set(partNumber, rev);
    const shared = how === "link" ? content.size : 0;
    const written = { kind: "written", rev, filled: content.size, shared } as const;
    this.#parts.set(partNumber, written);
    return written;
  }

  /** A copy of the file, since another revision shares its first bytes and they are about to change. */
  async #unshare(partNumber: PartNumber, content: Written): Promise<Written> {
    const written = { ...content, rev: this.#nextRev(), shared: 0 };
    const before = this.#ref(partNumber, content.rev);
    await this.#options.spill.fork(before, this.#ref(partNumber, written.rev), "copy");
    await this.#options.spill.remove(before);
    this.#unsynced.set(partNumber, written.rev);
    this.#parts.set(partNumber, written);
    return written;
  }

  /** A part that gets its first file. */
  #newFile(): Written {
    return { kind: "written", rev: this.#nextRev(), filled: 0, shared: 0 };
  }

  /** Fetches the part's bytes from the object underneath: once, whatever is written to it later. */
  async #fetchBase(part: Part, signal?: AbortSignal): Promise<Written> {
    const size = partSizeIn(part, this.#size);
    await this.#startPart(signal);
    const bytes = await this.#options.readBase(part.offset, size, signal);
    const written = { ...this.#newFile(), filled: size };
    await this.#options.spill.write(this.#ref(part.partNumber, written.rev), 0, bytes);
    this.#unsynced.set(part.partNumber, written.rev);
    this.#parts.set(part.partNumber, written);
    return written;
  }

  async #startPart(signal?: AbortSignal): Promise<void> {
    const first = ![...this.#parts.values()].some((content) => "rev" in content);
    await this.#options.spill.startPart(first, signal);
  }

  async #readPart(
    part: Part,
    within: number,
    into: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    const content = this.part(part.partNumber);
    switch (content.kind) {
      case "hole":
        return; // `into` is zeros already
      case "base":
        into.set(await this.#options.readBase(part.offset + within, into.length, signal));
        return;
      case "written":
      case "frozen":
      case "sealed":
        return this.#options.spill.read(this.#ref(part.partNumber, content.rev), within, into);
      default:
        return unreachable(content);
    }
  }

  async #resize(size: number, signal?: AbortSignal): Promise<void> {
    if (size === this.#size) return;
    if (size < this.#size) await this.#shrink(size, signal);
    else await this.#grow(signal);
    this.#size = size;
  }

  /** The last part must not end inside a sealed or fetched range any more: zeros will follow in the same part. */
  async #grow(signal?: AbortSignal): Promise<void> {
    if (this.#size === 0) return;
    const part = partAt(this.#options.plan, this.#size - 1);
    if (partSizeIn(part, this.#size) < part.size && this.part(part.partNumber).kind !== "hole")
      await this.#makeWritable(part, this.#size - part.offset, 0, signal);
  }

  async #shrink(size: number, signal?: AbortSignal): Promise<void> {
    const last = partCount(this.#options.plan, size);
    for (const [partNumber, content] of [...this.#parts]) {
      if (partNumber <= last) continue;
      this.#options.onChange(partNumber);
      this.#parts.delete(partNumber);
      this.#unsynced.delete(partNumber);
      if ("rev" in content) await this.#options.spill.remove(this.#ref(partNumber, content.rev));
    }
    if (last === 0) return;
    const part = partOfNumber(this.#options.plan, toPartNumber(last));
    const within = size - part.offset;
    const content = this.part(part.partNumber);
    if (content.kind === "hole" || within >= partSizeIn(part, this.#size)) return;
    const { rev, filled } = await this.#makeWritable(part, 0, 0, signal);
    await this.#options.spill.setSize(this.#ref(part.partNumber, rev), within);
    this.#parts.set(part.partNumber, {
      kind: "written",
      rev,
      filled: Math.min(filled, within),
      shared: 0,
    });
  }

  /** Part 1 is never frozen before the close: headers patched at the end (zip, mp4, wav) then cost nothing. */
  async #freezeIfFull(partNumber: PartNumber): Promise<void> {
    const content = this.part(partNumber);
    const { size } = partOfNumber(this.#options.plan, partNumber);
    if (partNumber === 1 || content.kind !== "written" || content.filled < size) return;
    await this.#freeze(partNumber);
    this.#fresh.add(partNumber);
    this.#options.onFrozen();
  }

  async #freeze(partNumber: PartNumber): Promise<void> {
    const content = this.part(partNumber);
    const { size } = this.extent(partNumber);
    switch (content.kind) {
      case "base":
      case "frozen":
      case "sealed":
        return;
      case "hole":
      case "written": {
        const rev = content.kind === "hole" ? this.#nextRev() : content.rev;
        if (content.kind === "hole" || content.filled < size) {
          await this.#options.spill.setSize(this.#ref(partNumber, rev), size);
          this.#unsynced.set(partNumber, rev);
        }
        this.#parts.set(partNumber, { kind: "frozen", rev, size });
        return;
      }
      default:
        return unreachable(content);
    }
  }
}

/** The error for a part whose spill file is not what was sealed. */
export function corruptPart(save: SaveId, partNumber: PartNumber, cause?: unknown): KodomountError {
  return new KodomountError(
    "Corrupt",
    `Part ${partNumber} of save ${save} in the spill is not what was written`,
    { cause },
  );
}
