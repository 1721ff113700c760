// Where the bytes of a save's parts are. A small file needs no file of ours: its bytes are in memory and, each write of
// them, in the catalog, where a close makes them durable together with its record. What outgrows that moves to the spill,
// in the same revisions, and stays there.

import type { Catalog, Change } from "../catalog/mod.ts";
import { type Rev, type SaveId, toPartNumber } from "../model/mod.ts";
import type { Head, PartRef, Spill } from "../spill/mod.ts";

/** Larger ones are cheaper in files: everything in the catalog is written twice or more before it is gone. */
const SIZE_MAX = 64 * 1024;
/** A file that is written in many small pieces goes on in a file. */
const PIECES_MAX = 8;

/** Bytes that all small saves together may hold in memory. */
export class Room {
  readonly #bytesMax: number;
  #used = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Counts `bytes` more; false, and nothing is counted, when they do not fit. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.#bytesMax) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

export interface SmallOptions {
  readonly catalog: Pick<Catalog, "apply">;
  readonly room: Room;
  /** For salvage, should it go to the spill. */
  readonly head: () => Head;
}

export interface SaveBytesOptions {
  readonly save: SaveId;
  readonly spill: Spill;
  /** undefined: all is in the spill. */
  readonly small?: SmallOptions | undefined;
}

/** As `Spill`, for one save. Not for two callers at once. */
export class SaveBytes {
  readonly #save: SaveId;
  readonly #spill: Spill;
  readonly #small: SmallOptions | undefined;
  /** Part 1, by revision; undefined: in the spill, for good. A buffer is replaced, never changed. */
  #memory: Map<Rev, Buffer> | undefined;
  /** Records of it that the catalog has. */
  #pieces = 0;
  /** The catalog's records give what is in memory; not any more when they went with the name of an open file. */
  #isRecorded = true;
  /** Bytes that are counted in the room. */
  #counted = 0;
  /** What is in memory was promised to survive a loss of power. */
  #isPromised = false;

  constructor({ save, spill, small }: SaveBytesOptions) {
    this.#save = save;
    this.#spill = spill;
    this.#small = small;
    if (small !== undefined) this.#memory = new Map();
  }

  get isInMemory(): boolean {
    return this.#memory !== undefined;
  }

  /** The bytes of a revision of part 1 that is in memory. */
  find(rev: Rev): Buffer | undefined {
    return this.#memory?.get(rev);
  }

  /** Deletions of what the catalog has of it, for the batch that deletes the save's record. */
  dropChanges(): Change[] {
    const changes: Change[] = [];
    if (this.#pieces > 0) this.#isRecorded = false;
    for (let index = 1; index <= this.#pieces; index += 1)
      changes.push({ del: "data", save: this.#save, index });
    this.#pieces = 0;
    return changes;
  }

  /** Before it is promised: a crash must find it, in the catalog or in the spill. */
  async ensureRecorded(): Promise<void> {
    if (!this.#isRecorded) await this.useSpill();
  }

  /** After a restart everything is in the spill. */
  restored(): void {
    this.#memory = undefined;
  }

  path(ref: PartRef): string {
    return this.#spill.path(ref);
  }

  /** No part of it is begun and not complete. */
  settle(): void {
    this.#spill.settle(this.#save);
  }

  async write(ref: PartRef, offset: number, data: Uint8Array): Promise<void> {
    if (await this.#writeSmall(ref, offset, data)) return;
    await this.useSpill();
    await this.#spill.write(ref, offset, data);
  }

  async read(ref: PartRef, offset: number, into: Uint8Array): Promise<void> {
    const bytes = this.find(ref.rev);
    if (bytes === undefined) return this.#spill.read(ref, offset, into);
    const count = bytes.copy(into, 0, Math.min(offset, bytes.length));
    into.fill(0, count);
  }

  async setSize(ref: PartRef, size: number): Promise<void> {
    if (ref.partNumber === 1 && this.find(ref.rev)?.length === size) return;
    await this.useSpill();
    await this.#spill.setSize(ref, size);
  }

  /** Another revision with the same bytes. */
  async fork(from: PartRef, to: PartRef, how: "link" | "copy"): Promise<void> {
    const bytes = this.find(from.rev);
    if (this.#memory === undefined || bytes === undefined) return this.#spill.fork(from, to, how);
    this.#memory.set(to.rev, bytes);
  }

  /** What another save has. */
  async forkFrom(other: SaveBytes, from: PartRef, to: PartRef): Promise<void> {
    const bytes = other.find(from.rev);
    if (bytes !== undefined) return this.write(to, 0, bytes);
    await this.useSpill();
    await this.#spill.fork(from, to, "link");
  }

  async remove(ref: PartRef): Promise<void> {
    if (this.#memory === undefined) return this.#spill.remove(ref);
    this.#memory.delete(ref.rev);
    this.#giveBack();
    // The part is a hole now: what was written of it must not come back after a crash.
    if (this.#memory.size > 0) return;
    await this.#forgetPieces();
    this.#isRecorded = true;
  }

  /** In the catalog what was written is durable with the synced batch that must follow. */
  async sync(refs: readonly PartRef[]): Promise<void> {
    if (this.#memory === undefined) await this.#spill.sync(this.#save, refs);
    else this.#isPromised = true;
  }

  async free(): Promise<void> {
    await this.#forgetPieces();
    if (this.#memory === undefined) return this.#spill.removeSave(this.#save);
    this.#memory.clear();
    this.#giveBack();
  }

  /** From here on everything is in the spill. */
  async useSpill(): Promise<void> {
    const memory = this.#memory;
    if (memory === undefined || this.#small === undefined) return;
    await this.#spill.createSave(this.#save, this.#small.head());
    const refs: PartRef[] = [];
    for (const [rev, bytes] of memory) {
      const ref = { save: this.#save, partNumber: toPartNumber(1), rev };
      await this.#spill.write(ref, 0, bytes);
      refs.push(ref);
    }
    if (this.#isPromised) await this.#spill.sync(this.#save, refs);
    this.#memory = undefined;
    this.#giveBack();
    await this.#forgetPieces();
  }

  /** @returns false when it does not fit there any more. */
  async #writeSmall(ref: PartRef, offset: number, data: Uint8Array): Promise<boolean> {
    const small = this.#small;
    if (this.#memory === undefined || small === undefined || ref.partNumber !== 1) return false;
    const before = this.find(ref.rev) ?? Buffer.alloc(0);
    const size = Math.max(before.length, offset + data.length);
    if (offset > before.length || size > SIZE_MAX || this.#pieces >= PIECES_MAX) return false;
    const more = Math.max(0, size - this.#counted);
    if (!small.room.take(more)) return false;
    this.#counted += more;
    const after = Buffer.allocUnsafe(size);
    before.copy(after);
    after.set(data, offset);
    this.#memory.set(ref.rev, after);
    if (!this.#isRecorded) return true;
    this.#pieces += 1;
    const place = { save: this.#save, index: this.#pieces, rev: ref.rev };
    const record = { ...place, size, offset, bytes: data };
    await small.catalog.apply([{ put: "data", record }], { sync: false });
    return true;
  }

  async #forgetPieces(): Promise<void> {
    const changes = this.dropChanges();
    if (changes.length > 0) await this.#small?.catalog.apply(changes, { sync: false });
  }

  /** Revisions share most of their bytes: the largest counts. */
  #giveBack(): void {
    let size = 0;
    for (const bytes of this.#memory?.values() ?? []) size = Math.max(size, bytes.length);
    this.#small?.room.give(this.#counted - size);
    this.#counted = size;
  }
}
