// Spill files: what was written and is not yet in the bucket, one file a part and revision. It knows no meaning of parts:
// `publish` says what is written where and when it may go.

import { join } from "node:path";
import { errnoOf, invariant, KodomountError, type Log, step } from "../base/mod.ts";
import {
  type Attributes,
  type PartNumber,
  type Rev,
  type SaveId,
  toPartNumber,
  toRev,
  toSaveId,
} from "../model/mod.ts";
import { Budget } from "./budget.ts";
import { Descriptors } from "./descriptors.ts";
import { nodeIo, type SpillIo } from "./io.ts";

export interface PartRef {
  readonly save: SaveId;
  readonly partNumber: PartNumber;
  readonly rev: Rev;
}

/** What salvage finds when the catalog is lost. */
export interface Head {
  readonly key: string;
  readonly ino: number;
  readonly attributes: Attributes;
}

export interface SpillOptions {
  readonly dir: string;
  /** Bytes that may lie here; the first part of a file is always taken. */
  readonly limit: number;
  readonly io?: SpillIo;
  readonly log: Log;
  /** Whether something is pending whose end would free bytes. */
  readonly canFree: () => boolean;
}

export class Spill {
  readonly #dir: string;
  readonly #io: SpillIo;
  readonly #budget: Budget;
  readonly #descriptors: Descriptors;
  /** Bytes that each file counts for in the budget. */
  readonly #sizes = new Map<string, number>();
  /** Files whose fsync has failed: the kernel would report success the next time, without having written. */
  readonly #lost = new Set<string>();
  /** Saves whose directory has entries no fsync has covered. */
  readonly #newEntries = new Set<SaveId>();

  private constructor(options: SpillOptions, io: SpillIo) {
    this.#dir = options.dir;
    this.#io = io;
    const { limit, canFree } = options;
    this.#budget = new Budget({ limit, canFree, diskFree: () => io.free(options.dir) });
    this.#descriptors = new Descriptors(io);
  }

  /** @throws `Io`, `NoSpace` when the directory cannot be made or read. */
  static async open(options: SpillOptions): Promise<Spill> {
    const io = options.io ?? nodeIo;
    const spill = new Spill(options, io);
    await spill.#guard(async () => {
      await io.makeDirectory(options.dir);
      for (const save of await spill.listSaves()) await spill.#count(save);
    });
    return spill;
  }

  usage(): { used: number; limit: number } {
    return { used: this.#budget.used, limit: this.#budget.limit };
  }

  /** Asked before a part gets its first byte. @throws `NoSpace`, `Interrupted`. */
  startPart(first: boolean, signal?: AbortSignal): Promise<void> {
    return this.#guard(() => this.#budget.startPart(first, signal));
  }

  /** A directory and a `head` for a new save. */
  async createSave(save: SaveId, head: Head): Promise<void> {
    await this.#guard(async () => {
      await this.#io.makeDirectory(join(this.#dir, save));
      await this.writeHead(save, head);
    });
    this.#newEntries.add(save);
  }

  /** One line of JSON, read by salvage only. */
  async writeHead(save: SaveId, head: Head): Promise<void> {
    const path = join(this.#dir, save, "head");
    await this.#guard(async () => {
      const fd = await this.#io.open(path);
      try {
        const line = Buffer.from(`${JSON.stringify(head)}\n`);
        await this.#io.write(fd, line, 0);
        await this.#io.truncate(fd, line.length);
      } finally {
        await this.#io.close(fd);
      }
    });
  }

  /** All of `data`. */
  async write(ref: PartRef, offset: number, data: Uint8Array): Promise<void> {
    await this.#with(ref, (fd) => this.#io.write(fd, data, offset));
    this.#grow(ref, offset + data.length);
    step("part.written");
  }

  /** Fills `into`; what lies behind the end of the file is zeros. */
  async read(ref: PartRef, offset: number, into: Uint8Array): Promise<void> {
    const count = await this.#with(ref, (fd) => this.#io.read(fd, into, offset));
    into.fill(0, count);
  }

  /** Cuts, or fills up with zeros that take no room. */
  async setSize(ref: PartRef, size: number): Promise<void> {
    await this.#with(ref, (fd) => this.#io.truncate(fd, size));
    const counted = this.#sizes.get(this.path(ref)) ?? 0;
    if (counted > size) this.#shrink(ref, size);
    else this.#sizes.set(this.path(ref), counted);
  }

  /** A second name for the same bytes, or a copy of them. */
  async fork(from: PartRef, to: PartRef, how: "link" | "copy"): Promise<void> {
    await this.#guard(() =>
      how === "link"
        ? this.#io.link(this.path(from), this.path(to))
        : this.#io.copy(this.path(from), this.path(to)),
    );
    this.#newEntries.add(to.save);
    const size = this.#sizes.get(this.path(from)) ?? 0;
    this.#sizes.set(this.path(to), size);
    this.#budget.add(size);
  }

  async remove(ref: PartRef): Promise<void> {
    const path = this.path(ref);
    await this.#descriptors.drop(path);
    await this.#guard(() => this.#io.unlink(path)).catch(ignoreMissing);
    this.#forget(path);
  }

  /** Everything of a save. */
  async removeSave(save: SaveId): Promise<void> {
    const prefix = join(this.#dir, save, "/");
    await this.#descriptors.dropAll(prefix);
    await this.#guard(() => this.#io.removeAll(join(this.#dir, save)));
    for (const path of [...this.#sizes.keys()]) if (path.startsWith(prefix)) this.#forget(path);
    this.#newEntries.delete(save);
    step("spill.freed");
  }

  /**
   * The parts survive a loss of power when this resolves.
   * @throws `Io`; a file whose fsync has failed once fails for ever, since its bytes may be gone from the page cache.
   */
  async sync(save: SaveId, refs: readonly PartRef[]): Promise<void> {
    await this.#guard(async () => {
      await Promise.all(refs.map((ref) => this.#syncFile(ref)));
      if (this.#newEntries.has(save) || refs.length > 0) {
        await this.#io.syncDirectory(join(this.#dir, save));
        await this.#io.syncDirectory(this.#dir);
        this.#newEntries.delete(save);
      }
    });
    step("spill.synced");
  }

  path(ref: PartRef): string {
    return join(this.#dir, ref.save, `${String(ref.partNumber).padStart(5, "0")}.${ref.rev}`);
  }

  sizeOf(ref: PartRef): Promise<number | undefined> {
    return this.#io.size(this.path(ref));
  }

  async listSaves(): Promise<SaveId[]> {
    return (await this.#io.list(this.#dir))
      .filter((name) => /^[0-9a-f]{16}$/.test(name))
      .map(toSaveId);
  }

  /** Spill files of a save; empty when it has none. */
  async listParts(save: SaveId): Promise<{ ref: PartRef; size: number }[]> {
    const names = await this.#io.list(join(this.#dir, save)).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    });
    const parts: { ref: PartRef; size: number }[] = [];
    for (const name of names.sort()) {
      const match = /^(\d{5})\.(\d+)$/.exec(name);
      if (match === null) continue;
      const ref = {
        save,
        partNumber: toPartNumber(Number(match[1])),
        rev: toRev(Number(match[2])),
      };
      parts.push({ ref, size: (await this.sizeOf(ref)) ?? 0 });
    }
    return parts;
  }

  async close(): Promise<void> {
    await this.#descriptors.dropAll("");
  }

  async #count(save: SaveId): Promise<void> {
    for (const { ref, size } of await this.listParts(save)) {
      this.#sizes.set(this.path(ref), size);
      this.#budget.add(size);
    }
  }

  #grow(ref: PartRef, end: number): void {
    const path = this.path(ref);
    const before = this.#sizes.get(path);
    if (before === undefined) this.#newEntries.add(ref.save);
    if (end <= (before ?? -1)) return;
    this.#budget.add(end - (before ?? 0));
    this.#sizes.set(path, end);
  }

  #shrink(ref: PartRef, size: number): void {
    const path = this.path(ref);
    this.#budget.free((this.#sizes.get(path) ?? 0) - size);
    this.#sizes.set(path, size);
  }

  #forget(path: string): void {
    this.#budget.free(this.#sizes.get(path) ?? 0);
    this.#sizes.delete(path);
    this.#lost.delete(path);
  }

  async #syncFile(ref: PartRef): Promise<void> {
    const path = this.path(ref);
    if (this.#lost.has(path))
      throw new KodomountError("Io", `The disk has lost what was written to ${path}`);
    try {
      await this.#descriptors.use(path, (fd) => this.#io.datasync(fd));
    } catch (error) {
      this.#lost.add(path);
      throw error;
    }
  }

  #with<T>(ref: PartRef, task: (fd: number) => Promise<T>): Promise<T> {
    return this.#guard(() => this.#descriptors.use(this.path(ref), task));
  }

  /** What the disk says, in our words. */
  async #guard<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      if (error instanceof KodomountError) throw error;
      const code = errnoOf(error);
      invariant(code !== undefined, `the spill fails with an errno: ${String(error)}`);
      if (code === "ENOSPC" || code === "EDQUOT")
        throw new KodomountError(
          "NoSpace",
          `The disk of the spill directory ${this.#dir} is full`,
          { cause: error },
        );
      throw new KodomountError("Io", `The spill directory ${this.#dir} fails with ${code}`, {
        cause: error,
      });
    }
  }
}

/** A file that is gone is removed. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof KodomountError) || errnoOf(error.cause) !== "ENOENT") throw error;
}
