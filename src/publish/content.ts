// The content of one save, as one file: reads, writes and cuts are taken one after the other and split at part boundaries.
// `part-files.ts` has the parts.

import { invariant, Mutex, step } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
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
  type Sealed,
  type Sha256,
  toPartNumber,
} from "../model/mod.ts";
import { type Eviction, PartFiles, type PartFilesOptions } from "./part-files.ts";
import type { PartStart } from "./start-part.ts";
import { WriteOrder } from "./write-order.ts";

const ZEROS = new Uint8Array(1024 * 1024);
const BASE: PartContent = { kind: "base" };

export interface ContentOptions extends PartFilesOptions {
  readonly plan: PartPlan;
  /** A part was frozen: it can be sent. */
  readonly onFrozen: () => void;
  /** Asked before any part but the first begins: waits for the network and for room in the spill. */
  readonly startPart: (part: PartStart, signal?: AbortSignal) => Promise<void>;
}

export class Content {
  readonly #options: ContentOptions;
  readonly #mutex = new Mutex();
  /** INVARIANT: parts beyond the size are holes. */
  readonly #files: PartFiles;
  #size = 0;
  #lastWritten: PartNumber | undefined;
  readonly #order = new WriteOrder();
  #freed = false;
  /** Frozen while the file is being written, and not taken to be sent yet. */
  readonly #fresh = new Set<PartNumber>();

  constructor(options: ContentOptions) {
    this.#options = options;
    this.#files = new PartFiles(options);
  }

  get size(): number {
    return this.#size;
  }

  get partCount(): number {
    return partCount(this.#options.plan, this.#size);
  }

  part(partNumber: PartNumber): PartContent {
    return this.#files.get(partNumber);
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

  /** Written from the start to the end, as far as it is written. */
  get isInOrder(): boolean {
    return this.#order.isKept;
  }

  /** The last part that was written. */
  get lastWritten(): number | undefined {
    return this.#order.last;
  }

  /** Bytes of it are at the store only, in an upload that is not complete. */
  get isEvicted(): boolean {
    return this.#files.isEvicted;
  }

  /** For who makes room in the spill. */
  get eviction(): Eviction {
    return this.#files;
  }

  /** Where the spill has the bytes of a frozen or sealed part. */
  pathOf(partNumber: PartNumber, rev: Rev): string {
    return this.#files.path(partNumber, rev);
  }

  /** The bytes of a part of a small file, which has no file in the spill. */
  bytesOf(partNumber: PartNumber): Buffer | undefined {
    const content = this.part(partNumber);
    return partNumber === 1 && "rev" in content ? this.#files.bytes.find(content.rev) : undefined;
  }

  /** Nothing of it is in the spill: it is small. */
  get isInMemory(): boolean {
    return this.#files.bytes.isInMemory;
  }

  /** From here on everything is in files of the spill. */
  async useSpill(): Promise<void> {
    using _ = await this.#mutex.acquire();
    await this.#files.bytes.useSpill();
  }

  /** What the catalog has of its bytes is deleted with its records. */
  dropChanges(): Change[] {
    return this.#files.bytes.dropChanges();
  }

  /** Parts that were frozen since this was asked last. */
  takeFrozen(): PartNumber[] {
    const fresh = [...this.#fresh];
    this.#fresh.clear();
    return fresh;
  }

  /** Parts that have become holes since this was asked last: the catalog may still have a record of them. */
  takeDropped(): PartNumber[] {
    return this.#files.takeDropped();
  }

  /** Starts as the object underneath, of `size` bytes; nothing is fetched. */
  async startFromBase(size: number): Promise<void> {
    this.#size = size;
    if (this.partCount > 1) await this.#files.bytes.useSpill();
    for (const partNumber of this.partNumbers()) this.#files.set(partNumber, BASE);
  }

  /** The file goes on, from its end at the start of a part up to `size`, as the object underneath does. */
  async appendBase(size: number): Promise<void> {
    using _ = await this.#mutex.acquire();
    const { plan } = this.#options;
    const first = this.#size === 0 ? 1 : partAt(plan, this.#size).partNumber;
    invariant(
      partOfNumber(plan, toPartNumber(first)).offset === this.#size,
      "what is copied begins where a part does",
    );
    await this.#files.bytes.useSpill();
    this.#size = size;
    for (const partNumber of this.partNumbers().slice(first - 1)) this.#files.set(partNumber, BASE);
  }

  /** Starts as found on disk after a restart. Parts without a hash are hashed anew. */
  restore(size: number, parts: Iterable<readonly [PartNumber, PartContent]>): void {
    this.#size = size;
    this.#files.bytes.restored();
    for (const [partNumber, content] of parts) this.#files.set(partNumber, content);
  }

  /**
   * Starts with what `other` has; spill files are shared by hard links. `other` must be frozen as a whole.
   * @returns false when `other` has been freed: its content is in the bucket by now.
   */
  async startFrom(other: Content): Promise<boolean> {
    using _ = await other.#mutex.acquire();
    if (other.#freed) return false;
    this.#size = other.#size;
    await this.#files.startFrom(other.#files);
    return true;
  }

  /** Removes everything from the spill; reads answer undefined from now on. */
  async free(): Promise<void> {
    using _ = await this.#mutex.acquire();
    this.#freed = true;
    await this.#files.bytes.free();
  }

  /**
   * Asked before a write, by who holds up nobody else meanwhile: resolves when the parts that it begins may begin.
   * @throws `NoSpace`, `Interrupted`, `TooLarge`.
   */
  async admit(offset: number, length: number, signal?: AbortSignal): Promise<void> {
    if (length === 0 || this.#files.isUntouched) return;
    const { plan } = this.#options;
    const [first, last] = [partAt(plan, offset), partAt(plan, offset + length - 1)];
    const begins = [first, last].find(({ partNumber }) =>
      ["hole", "base"].includes(this.part(partNumber).kind),
    );
    if (begins === undefined) return;
    {
      // Complete, and on its way while we wait: what it takes may be what we wait for.
      using _ = await this.#mutex.acquire(signal);
      await this.#leave(begins.partNumber);
    }
    await this.#options.startPart({ size: begins.size, promised: false }, signal);
  }

  /** Writes `data` at `offset`; in a part of the object underneath waits for its bytes. */
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

  /** Zeros from `offset` on, as far as the file reaches. Whole parts become holes. */
  async zero(offset: number, length: number, signal?: AbortSignal): Promise<void> {
    using _ = await this.#mutex.acquire(signal);
    const end = Math.min(offset + length, this.#size);
    for (let at = offset; at < end; ) {
      const part = partAt(this.#options.plan, at);
      const within = at - part.offset;
      const count = Math.min(end - at, part.size - within);
      if (within === 0 && count === partSizeIn(part, this.#size))
        await this.#files.drop(part.partNumber);
      else if (this.part(part.partNumber).kind !== "hole")
        for (let done = 0; done < count; done += ZEROS.length) {
          const zeros = ZEROS.subarray(0, count - done);
          await this.#writePart(part, within + done, zeros, signal);
        }
      at += count;
    }
  }

  /** Where data, or a hole, begins at or behind `offset`, by whole parts; undefined: not before the end. */
  seek(offset: number, what: "data" | "hole"): number | undefined {
    for (let at = offset; at < this.#size; ) {
      const part = partAt(this.#options.plan, at);
      if ((this.part(part.partNumber).kind === "hole") === (what === "hole")) return at;
      at = part.offset + part.size;
    }
    return what === "hole" ? this.#size : undefined;
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
      await this.#files.read(part, within, piece, signal);
      done += piece.length;
    }
    return bytes;
  }

  /** Freezes every part: from here on a write makes new revisions. */
  async freezeAll(): Promise<void> {
    using _ = await this.#mutex.acquire();
    await this.#files.bytes.ensureRecorded();
    this.#files.bytes.settle();
    for (const partNumber of this.partNumbers())
      await this.#files.freeze(partNumber, this.extent(partNumber).size);
  }

  /**
   * Brings the bytes of a part that lies underneath into the spill, so that it can be sent.
   * @param options.promised it is needed to publish what was closed.
   */
  async materialize(
    partNumber: PartNumber,
    options: { promised: boolean; signal?: AbortSignal },
  ): Promise<void> {
    const { promised, signal } = options;
    const { size } = this.extent(partNumber);
    if (!this.#files.isUntouched) await this.#options.startPart({ size, promised }, signal);
    using _ = await this.#mutex.acquire(signal);
    if (this.#freed || this.part(partNumber).kind !== "base") return;
    await this.#files.fetchBase(partOfNumber(this.#options.plan, partNumber), this.#size, signal);
    await this.#files.freeze(partNumber, this.extent(partNumber).size);
  }

  /** Notes the hash of a frozen part. False when the part has changed meanwhile: the hash is of no use. */
  seal(partNumber: PartNumber, rev: Rev, sha256: Sha256): Sealed | undefined {
    const content = this.part(partNumber);
    if (content.kind === "sealed" && content.rev === rev) return content;
    if (content.kind !== "frozen" || content.rev !== rev) return undefined;
    const sealed: Sealed = { kind: "sealed", rev, size: content.size, sha256, at: "spill" };
    this.#files.set(partNumber, sealed);
    step("part.sealed");
    return sealed;
  }

  /** Makes what was written so far survive a loss of power. @throws `Io` when the disk says no; never try again. */
  async sync(): Promise<void> {
    using _ = await this.#mutex.acquire();
    await this.#files.sync();
  }

  /** Throws when the table contradicts itself; for property tests. */
  checkInvariants(): void {
    const { plan } = this.#options;
    for (const [partNumber, content] of this.#files.entries()) {
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

  async #writePart(
    part: Part,
    within: number,
    data: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    const { partNumber } = part;
    await this.#leave(partNumber);
    this.#lastWritten = partNumber;
    this.#order.note(partNumber);
    const range = { within, length: data.length, fileSize: this.#size };
    const written = await this.#files.makeWritable(part, range, signal);
    await this.#files.write(partNumber, written, within, data);
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
      await this.#files.makeWritable(
        part,
        { within: this.#size - part.offset, length: 0, fileSize: this.#size },
        signal,
      );
  }

  async #shrink(size: number, signal?: AbortSignal): Promise<void> {
    const last = partCount(this.#options.plan, size);
    await this.#cutLast(last, size, signal);
    for (const [partNumber] of this.#files.entries())
      if (partNumber > last) await this.#files.drop(partNumber);
  }

  /** Before the rest goes: it may be refused. */
  async #cutLast(last: number, size: number, signal?: AbortSignal): Promise<void> {
    if (last === 0) return;
    const part = partOfNumber(this.#options.plan, toPartNumber(last));
    const within = size - part.offset;
    const content = this.part(part.partNumber);
    if (content.kind === "hole" || within >= partSizeIn(part, this.#size)) return;
    const range = { within: 0, length: 0, fileSize: this.#size };
    const written = await this.#files.makeWritable(part, range, signal);
    await this.#files.cut(part.partNumber, written, within);
  }

  /**
   * The writer goes on to another part. Part 1 is never frozen before the close: headers patched at the end (zip, mp4,
   * wav) then cost nothing.
   */
  async #leave(next: PartNumber): Promise<void> {
    const before = this.#lastWritten;
    if (before === undefined || before === next || before === 1) return;
    const content = this.part(before);
    const { size } = partOfNumber(this.#options.plan, before);
    if (content.kind !== "written" || content.filled < size) return;
    await this.#files.freeze(before, size);
    this.#fresh.add(before);
    this.#options.onFrozen();
  }
}
