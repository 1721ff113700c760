// Spill files: what was written and is not yet in the bucket, one file a part and revision. It knows no meaning of parts:
// `publish` says what is written where and when it may go, and does not use a part that it is removing.

import { dirname } from "node:path";
import { type Clock, errnoOf, type Log, step, systemClock } from "../base/mod.ts";
import { type Attributes, type SaveId, toSaveId } from "../model/mod.ts";
import { Budget, type PartRequest } from "./budget.ts";
import { Descriptors } from "./descriptors.ts";
import { Durable } from "./durable.ts";
import { guard } from "./failure.ts";
import { nodeIo, type SpillIo } from "./io.ts";
import type { Relief } from "./relief.ts";
import { type PartRef, parsePartName, partName, SaveFiles, SpillFile } from "./save-files.ts";

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
  /** The disk; `nodeIo` when absent. */
  readonly io?: SpillIo;
  readonly log: Log;
  /** `systemClock` when absent. */
  readonly clock?: Clock;
}

/** Every method rejects with `NoSpace` when the disk is full and with `Io` for any other error of the disk. */
export class Spill {
  readonly #dir: string;
  readonly #io: SpillIo;
  readonly #budget: Budget;
  readonly #descriptors: Descriptors;
  readonly #saves = new Map<SaveId, SaveFiles>();
  readonly #directory: Durable;

  private constructor(options: SpillOptions) {
    const { dir, io = nodeIo, clock = systemClock } = options;
    this.#dir = dir;
    this.#io = io;
    this.#budget = new Budget({ ...options, clock, space: () => io.space(dir) });
    this.#descriptors = new Descriptors(io);
    this.#directory = new Durable(dir);
  }

  /** Makes the directory when it is missing, and counts what an earlier run has left in it. */
  static async open(options: SpillOptions): Promise<Spill> {
    const spill = new Spill(options);
    await guard(options.dir, () => spill.#start());
    return spill;
  }

  usage(): { used: number; limit: number } {
    return { used: this.#budget.used, limit: this.#budget.limit };
  }

  /** Who is asked when there is no room. */
  relieveBy(relief: Relief): void {
    this.#budget.relieveBy(relief);
  }

  /**
   * Asked before a part gets its first byte, unless it is the first of its file: waits for room.
   * @throws `NoSpace` when nothing could make room; `Interrupted`.
   */
  async startPart(request: PartRequest, signal?: AbortSignal): Promise<void> {
    await this.#guard(() => this.#budget.startPart(request, signal));
  }

  /** Who waits for room, in the order of asking. */
  waiting(): SaveId[] {
    return this.#budget.waiting();
  }

  /** The save has no part that was begun and is not complete. */
  settle(save: SaveId): void {
    this.#budget.settle(save);
  }

  /** What could make room has changed: who waits for room may go on. */
  changed(): void {
    this.#budget.changed();
  }

  /** Bytes that removing the save would free: not what another save has, too. */
  bytesOf(save: SaveId): number {
    let bytes = 0;
    for (const { names, written } of this.#saves.get(save)?.parts.values() ?? [])
      if (names === 1) bytes += written.bytes;
    return bytes;
  }

  /** A directory and a `head` for a new save; durable with the first `sync`. */
  async createSave(save: SaveId, head: Head): Promise<void> {
    await this.#guard(() => this.#io.makeDirectory(this.#pathOf(save)));
    this.#filesOf(save);
    await this.writeHead(save, head);
  }

  /** One line of JSON, read by salvage only. */
  async writeHead(save: SaveId, head: Head): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(head)}\n`);
    this.#filesOf(save).headDirty = true;
    await this.#withHead(save, { create: true }, async (fd) => {
      await this.#io.write(fd, line, 0);
      await this.#io.truncate(fd, line.length);
    });
  }

  /** All of `data`; the part is made when it is missing. */
  async write(ref: PartRef, offset: number, data: Uint8Array): Promise<void> {
    const path = this.path(ref);
    await this.#guard(() =>
      this.#descriptors.use(path, { create: true }, (fd) => this.#io.write(fd, data, offset)),
    );
    this.#budget.write(ref.save, this.#fileOf(ref).written.add(offset, offset + data.length));
    step("part.written");
  }

  /** Fills `into`; what lies behind the end of the part is zeros. A part that is not there is `Io`, not zeros. */
  async read(ref: PartRef, offset: number, into: Uint8Array): Promise<void> {
    const count = await this.#guard(() =>
      this.#descriptors.use(this.path(ref), { create: false }, (fd) =>
        this.#io.read(fd, into, offset),
      ),
    );
    into.fill(0, count);
  }

  /** Cuts, or fills up with zeros that take no room; the part is made when it is missing. */
  async setSize(ref: PartRef, size: number): Promise<void> {
    await this.#guard(() =>
      this.#descriptors.use(this.path(ref), { create: true }, (fd) => this.#io.truncate(fd, size)),
    );
    this.#budget.free(this.#fileOf(ref).written.cut(size));
  }

  /** `link`: a second name for the same bytes, which counts for nothing; `copy`: bytes of its own. Replaces `to`. */
  async fork(from: PartRef, to: PartRef, how: "link" | "copy"): Promise<void> {
    if (this.#saves.get(to.save)?.parts.has(partName(to))) await this.remove(to);
    await this.#guard(() =>
      how === "link" ? this.#link(from, to) : this.#io.copy(this.path(from), this.path(to)),
    );
    const files = this.#filesOf(to.save);
    files.namesDirty = true;
    if (how === "link") {
      const shared = this.#fileOf(from);
      shared.names += 1;
      files.parts.set(partName(to), shared);
    } else files.parts.set(partName(to), await this.#count(to));
  }

  /** A part that is not there is removed. */
  async remove(ref: PartRef): Promise<void> {
    const path = this.path(ref);
    await this.#guard(async () => {
      await this.#descriptors.drop(path);
      await this.#io.unlink(path).catch(ignoreMissing);
    });
    const files = this.#filesOf(ref.save);
    files.namesDirty = true;
    this.#forget(files, partName(ref));
  }

  /** Everything of a save. */
  async removeSave(save: SaveId): Promise<void> {
    const path = this.#pathOf(save);
    await this.#guard(async () => {
      await this.#descriptors.dropAll(`${path}/`);
      await this.#io.removeAll(path);
    });
    const files = this.#saves.get(save);
    this.#saves.delete(save);
    for (const name of [...(files?.parts.keys() ?? [])])
      if (files !== undefined) this.#forget(files, name);
    this.settle(save);
    step("spill.freed");
  }

  /**
   * The save's `head`, its names, these parts and those that an earlier run has left survive a loss of power when this
   * resolves.
   * @throws `Io`; what could not be synced once fails for ever, since its bytes may be gone from the page cache.
   */
  async sync(save: SaveId, refs: readonly PartRef[]): Promise<void> {
    const files = this.#filesOf(save);
    using _ = await files.syncing.acquire();
    const names = new Set([...refs.map(partName), ...files.unsynced]);
    // All at once: what needs them is written after the last of them, and the disk's journal takes them together.
    await allOf([
      this.#syncHead(save, files),
      ...[...names].map((name) => this.#syncPart(save, files, name)),
      this.#syncNames(save, files),
      this.#syncOwnName(files),
    ]);
    files.unsynced = [];
    step("spill.synced");
  }

  /** Where the bytes are: whoever opens this path only reads. */
  path(ref: PartRef): string {
    return `${this.#pathOf(ref.save)}/${partName(ref)}`;
  }

  /** Bytes from the start of the part to its end, holes included; undefined when it is not there. */
  async sizeOf(ref: PartRef): Promise<number | undefined> {
    return (await this.#guard(() => this.#io.stat(this.path(ref))))?.size;
  }

  /** In the order of their ids, which says nothing. */
  async listSaves(): Promise<SaveId[]> {
    const names = await this.#guard(() => this.#io.list(this.#dir));
    return names
      .filter((name) => /^[0-9a-f]{16}$/.test(name))
      .sort()
      .map(toSaveId);
  }

  /** In the order of their numbers and revisions; a save that is not there has none. */
  async listParts(save: SaveId): Promise<{ ref: PartRef; size: number }[]> {
    const parts: { ref: PartRef; size: number }[] = [];
    for (const ref of await this.#refsOf(save)) {
      const size = await this.sizeOf(ref);
      if (size !== undefined) parts.push({ ref, size });
    }
    return parts;
  }

  /** Whoever still waits for room is refused. Nothing is synced. */
  async close(): Promise<void> {
    await this.#budget.stop();
    await this.#guard(() => this.#descriptors.dropAll(""));
  }

  async #start(): Promise<void> {
    await this.#io.makeDirectory(this.#dir);
    await this.#io.syncDirectory(dirname(this.#dir));
    const links = new Map<number, SpillFile>();
    for (const save of await this.listSaves()) {
      const head = await this.#io.stat(`${this.#pathOf(save)}/head`);
      this.#filesOf(save).headDirty = head !== undefined;
      for (const ref of await this.#refsOf(save)) await this.#adopt(ref, links);
    }
  }

  /** Notes a file of an earlier run. */
  async #adopt(ref: PartRef, links: Map<number, SpillFile>): Promise<void> {
    const stat = await this.#io.stat(this.path(ref));
    if (stat === undefined) return;
    const known = links.get(stat.ino);
    if (known !== undefined) known.names += 1;
    const file = known ?? (await this.#count(ref));
    links.set(stat.ino, file);
    const files = this.#filesOf(ref.save);
    files.parts.set(partName(ref), file);
    files.unsynced.push(partName(ref));
  }

  /** A file that is there, counted as the disk does: a copy has fewer holes. Where they are is not known: at the end. */
  async #count(ref: PartRef): Promise<SpillFile> {
    const stat = await this.#guard(() => this.#io.stat(this.path(ref)));
    const file = new SpillFile(this.path(ref));
    if (stat !== undefined)
      this.#budget.add(file.written.add(0, Math.min(stat.size, stat.allocated)));
    return file;
  }

  async #refsOf(save: SaveId): Promise<PartRef[]> {
    const names = await this.#guard(() => this.#io.list(this.#pathOf(save)).catch(noneIfMissing));
    return names
      .map((name) => parsePartName(name))
      .filter((part) => part !== undefined)
      .map((part) => ({ save, ...part }))
      .sort((a, b) => a.partNumber - b.partNumber || a.rev - b.rev);
  }

  #pathOf(save: SaveId): string {
    return `${this.#dir}/${save}`;
  }

  #filesOf(save: SaveId): SaveFiles {
    const known = this.#saves.get(save);
    if (known !== undefined) return known;
    const files = new SaveFiles(this.#pathOf(save));
    this.#saves.set(save, files);
    return files;
  }

  #fileOf(ref: PartRef): SpillFile {
    const files = this.#filesOf(ref.save);
    const name = partName(ref);
    const known = files.parts.get(name);
    if (known !== undefined) return known;
    const file = new SpillFile(this.path(ref));
    files.parts.set(name, file);
    files.namesDirty = true;
    return file;
  }

  #forget(files: SaveFiles, name: string): void {
    const file = files.parts.get(name);
    if (file === undefined) return;
    files.parts.delete(name);
    files.unsynced = files.unsynced.filter((other) => other !== name);
    file.names -= 1;
    if (file.names === 0) this.#budget.free(file.written.bytes);
  }

  /** A name that a crash has left behind is nobody's. */
  async #link(from: PartRef, to: PartRef): Promise<void> {
    try {
      await this.#io.link(this.path(from), this.path(to));
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      await this.#io.unlink(this.path(to));
      await this.#io.link(this.path(from), this.path(to));
    }
  }

  #withHead(
    save: SaveId,
    options: { create: boolean },
    task: (fd: number) => Promise<void>,
  ): Promise<void> {
    return this.#guard(async () => {
      const fd = await this.#io.open(`${this.#pathOf(save)}/head`, options);
      try {
        await task(fd);
      } finally {
        await this.#io.close(fd);
      }
    });
  }

  async #syncHead(save: SaveId, files: SaveFiles): Promise<void> {
    if (!files.headDirty && !files.head.hasFailed) return;
    files.headDirty = false;
    await files.head.sync(() =>
      this.#withHead(save, { create: false }, (fd) => this.#io.datasync(fd)),
    );
  }

  async #syncPart(save: SaveId, files: SaveFiles, name: string): Promise<void> {
    const path = `${this.#pathOf(save)}/${name}`;
    const durable = files.parts.get(name)?.durable ?? new Durable(path);
    await durable.sync(() =>
      this.#descriptors.use(path, { create: false }, (fd) => this.#io.datasync(fd)),
    );
  }

  async #syncNames(save: SaveId, files: SaveFiles): Promise<void> {
    if (!files.namesDirty && !files.directory.hasFailed) return;
    files.namesDirty = false;
    await files.directory.sync(() => this.#io.syncDirectory(this.#pathOf(save)));
  }

  async #syncOwnName(files: SaveFiles): Promise<void> {
    if (!files.isNew) return;
    await this.#directory.sync(() => this.#io.syncDirectory(this.#dir));
    files.isNew = false;
  }

  #guard<T>(task: () => Promise<T>): Promise<T> {
    return guard(this.#dir, task);
  }
}

/** Waits for all of them even when one fails: nothing goes on behind the caller's back. */
async function allOf(tasks: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(tasks))
    if (result.status === "rejected") throw result.reason;
}

/** A file that is gone is removed. */
function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== "ENOENT") throw error;
}

/** A directory that is not there has nothing in it. */
function noneIfMissing(error: unknown): string[] {
  if (errnoOf(error) !== "ENOENT") throw error;
  return [];
}
