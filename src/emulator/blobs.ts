// Bytes of objects and parts: one file each, written once, shared by counting who refers to them. So completing an
// upload and copying an object move no bytes.

import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { removeFile } from "./json-file.ts";

/** A range of one blob. */
export interface Slice {
  readonly blob: string;
  readonly offset: number;
  readonly size: number;
}

/** The right to read some bytes. */
export interface Lease extends AsyncDisposable {
  read(): AsyncGenerator<Buffer>;
}

const PIECE_SIZE = 512 * 1024;

export class Blobs {
  readonly #dir: string;
  /** How many records, and readers under way, refer to a blob. INVARIANT: no entry is 0. */
  readonly #references = new Map<string, number>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** A name that no blob has; the caller writes the file and hands its slice to `retain`. */
  newName(): string {
    return randomBytes(12).toString("hex");
  }

  pathOf(blob: string): string {
    return path.join(this.#dir, blob);
  }

  retain(slices: readonly Slice[]): void {
    for (const { blob } of slices)
      this.#references.set(blob, (this.#references.get(blob) ?? 0) + 1);
  }

  /** Takes back a `retain`; a blob that nobody refers to any more is deleted. */
  async release(slices: readonly Slice[]): Promise<void> {
    for (const { blob } of slices) {
      const left = (this.#references.get(blob) ?? 0) - 1;
      if (left > 0) {
        this.#references.set(blob, left);
        continue;
      }
      this.#references.delete(blob);
      await removeFile(this.pathOf(blob));
    }
  }

  /**
   * The bytes `[offset, offset + length)` of what `slices` hold one after the other, readable until it is disposed of,
   * whatever happens to the object meanwhile.
   */
  lease(slices: readonly Slice[], offset: number, length: number): Lease {
    const wanted = cut(slices, offset, length);
    this.retain(wanted);
    return {
      read: () => this.#read(wanted),
      [Symbol.asyncDispose]: () => this.release(wanted),
    };
  }

  async *#read(slices: readonly Slice[]): AsyncGenerator<Buffer> {
    for (const { blob, offset: start, size } of slices) {
      const options = { start, end: start + size - 1, highWaterMark: PIECE_SIZE };
      for await (const piece of fs.createReadStream(this.pathOf(blob), options))
        yield piece as Buffer;
    }
  }

  /** Deletes what no record refers to: bodies that were coming in when the server was killed. */
  async sweep(): Promise<void> {
    for (const name of await fs.promises.readdir(this.#dir))
      if (!this.#references.has(name)) await removeFile(this.pathOf(name));
  }
}

/** The slices of the range `[offset, offset + length)` within `slices`; empty ones are left out. */
export function cut(slices: readonly Slice[], offset: number, length: number): Slice[] {
  const out: Slice[] = [];
  let at = 0;
  for (const slice of slices) {
    const from = Math.max(0, offset - at);
    const to = Math.min(slice.size, offset + length - at);
    if (from < to) out.push({ blob: slice.blob, offset: slice.offset + from, size: to - from });
    at += slice.size;
  }
  return out;
}

export function sizeOf(slices: readonly Slice[]): number {
  return slices.reduce((sum, { size }) => sum + size, 0);
}
