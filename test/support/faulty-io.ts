// A disk that fails when it is told to, and that forgets what no fsync has covered when its power is cut. The files are
// real ones below one directory, which only this object may change.

import fs from "node:fs/promises";
import { dirname } from "node:path";
import { type DiskSpace, nodeIo, type SpillIo } from "../../src/spill/mod.ts";

export type IoKind = keyof SpillIo;

/** A file, whatever its names. */
interface Node {
  /** Content that survives; undefined: only its names may. */
  durable: Buffer | undefined;
  /** An fsync has failed: the dirty pages are gone from the cache, and no later fsync reports them. */
  lost: boolean;
}

interface Fault {
  readonly kind: IoKind;
  readonly errno: string;
  /** Calls that are let through first. */
  after: number;
  left: number;
}

export class FaultyIo implements SpillIo {
  /** What `space` answers; the real disk's when undefined. */
  diskSpace: DiskSpace | undefined;
  readonly #faults: Fault[] = [];
  #failures = 0;
  readonly #counts = new Map<IoKind, number>();
  readonly #nodes = new Map<string, Node>();
  readonly #directories = new Set<string>();
  /** By directory: the names in it that survive. */
  readonly #durableNames = new Map<string, Map<string, Node | "directory">>();
  readonly #open = new Map<number, Node>();

  /** `times` calls of that kind fail with that errno before they have done anything, `after` as many others. */
  fail(kind: IoKind, errno: string, { times = 1, after = 0 } = {}): void {
    this.#faults.push({ kind, errno, after, left: times });
  }

  /** How many calls have failed so far. */
  get failures(): number {
    return this.#failures;
  }

  /** No call fails any more. */
  heal(): void {
    this.#faults.length = 0;
  }

  /** How many calls of that kind there were, failed ones included. */
  count(kind: IoKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Descriptors that are open now. */
  get openCount(): number {
    return this.#open.size;
  }

  /**
   * Everything that was not synced is gone: content, names and directories. Whoever used this disk is dead: its
   * descriptors are closed. Directories that were made here in one that was not are taken to be durable.
   */
  async powerLoss(): Promise<void> {
    await this.died();
    const roots = [...this.#directories].filter((path) => !this.#directories.has(dirname(path)));
    this.#nodes.clear();
    this.#directories.clear();
    const restored = new Map<Node, string>();
    for (const root of roots) await this.#restore(root, restored);
  }

  /** Whoever used this disk is dead: its descriptors are closed, nothing else is changed. */
  async died(): Promise<void> {
    for (const fd of this.#open.keys()) await nodeIo.close(fd);
    this.#open.clear();
  }

  async open(path: string, options: { create: boolean }): Promise<number> {
    this.#check("open");
    const fd = await nodeIo.open(path, options);
    this.#open.set(fd, this.#nodeAt(path));
    return fd;
  }

  async close(fd: number): Promise<void> {
    this.#check("close");
    this.#open.delete(fd);
    await nodeIo.close(fd);
  }

  async write(fd: number, data: Uint8Array, offset: number): Promise<void> {
    this.#check("write");
    await nodeIo.write(fd, data, offset);
  }

  async read(fd: number, into: Uint8Array, offset: number): Promise<number> {
    this.#check("read");
    return nodeIo.read(fd, into, offset);
  }

  async truncate(fd: number, size: number): Promise<void> {
    this.#check("truncate");
    await nodeIo.truncate(fd, size);
  }

  async datasync(fd: number): Promise<void> {
    const node = this.#open.get(fd);
    try {
      this.#check("datasync");
    } catch (error) {
      if (node !== undefined) node.lost = true;
      throw error;
    }
    if (node !== undefined && !node.lost) node.durable = await contentOf(fd);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#check("syncDirectory");
    const names = new Map<string, Node | "directory">();
    for (const [child, node] of this.#nodes) if (dirname(child) === path) names.set(child, node);
    for (const child of this.#directories)
      if (dirname(child) === path) names.set(child, "directory");
    this.#durableNames.set(path, names);
  }

  async link(from: string, to: string): Promise<void> {
    this.#check("link");
    await nodeIo.link(from, to);
    this.#nodes.set(to, this.#nodeAt(from));
  }

  async copy(from: string, to: string): Promise<void> {
    this.#check("copy");
    await nodeIo.copy(from, to);
    this.#nodeAt(to);
  }

  async unlink(path: string): Promise<void> {
    this.#check("unlink");
    await nodeIo.unlink(path);
    this.#nodes.delete(path);
  }

  async removeAll(path: string): Promise<void> {
    this.#check("removeAll");
    await nodeIo.removeAll(path);
    for (const child of this.#nodes.keys())
      if (child.startsWith(`${path}/`)) this.#nodes.delete(child);
    for (const child of this.#directories)
      if (child === path || child.startsWith(`${path}/`)) this.#directories.delete(child);
  }

  async makeDirectory(path: string): Promise<void> {
    this.#check("makeDirectory");
    await nodeIo.makeDirectory(path);
    this.#directories.add(path);
  }

  async list(path: string): Promise<string[]> {
    this.#check("list");
    return nodeIo.list(path);
  }

  async stat(path: string): ReturnType<SpillIo["stat"]> {
    this.#check("stat");
    return nodeIo.stat(path);
  }

  async space(path: string): Promise<DiskSpace> {
    this.#check("space");
    return this.diskSpace ?? nodeIo.space(path);
  }

  #check(kind: IoKind): void {
    this.#counts.set(kind, this.count(kind) + 1);
    const fault = this.#faults.find((candidate) => candidate.kind === kind && candidate.left > 0);
    if (fault === undefined) return;
    fault.after -= 1;
    if (fault.after >= 0) return;
    fault.left -= 1;
    this.#failures += 1;
    throw Object.assign(new Error(`${fault.errno}: injected, ${kind}`), {
      code: fault.errno,
      syscall: kind,
    });
  }

  #nodeAt(path: string): Node {
    const known = this.#nodes.get(path);
    if (known !== undefined) return known;
    const node: Node = { durable: undefined, lost: false };
    this.#nodes.set(path, node);
    return node;
  }

  /** Makes `path` what the disk has of it. `restored`: a path of each file, so that links are links again. */
  async #restore(path: string, restored: Map<Node, string>): Promise<void> {
    await fs.rm(path, { recursive: true, force: true });
    await fs.mkdir(path, { mode: 0o700 });
    this.#directories.add(path);
    for (const [child, what] of this.#durableNames.get(path) ?? []) {
      if (what === "directory") {
        await this.#restore(child, restored);
        continue;
      }
      const other = restored.get(what);
      if (other === undefined) await fs.writeFile(child, what.durable ?? "", { mode: 0o600 });
      else await fs.link(other, child);
      restored.set(what, child);
      what.lost = false;
      this.#nodes.set(child, what);
    }
  }
}

async function contentOf(fd: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let offset = 0; ; ) {
    const piece = Buffer.alloc(1024 * 1024);
    const count = await nodeIo.read(fd, piece, offset);
    if (count === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, count));
    offset += count;
  }
}
