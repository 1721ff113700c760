// Files by paths on a `Filesystem`, as a program would use them: for tests without a kernel.

import { newAbort } from "../../src/base/mod.ts";
import type { DirectoryEntry, Filesystem, OpenFlags, Stat } from "../../src/fs/mod.ts";
import { type HandleId, type Ino, ROOT_INO } from "../../src/model/mod.ts";
import { LIVE_CLOSE, request } from "./world.ts";

const bytes = (name: string): Buffer => Buffer.from(name);

export const FLAGS: OpenFlags = {
  read: true,
  write: true,
  append: false,
  truncate: false,
  exclusive: false,
};

export class Driver {
  readonly #fs: Filesystem;
  /** Interrupts what waits for content. */
  readonly #signal: AbortSignal;

  constructor(filesystem: Filesystem, signal = newAbort().signal) {
    this.#fs = filesystem;
    this.#signal = signal;
  }

  async ino(path: string): Promise<Ino> {
    let ino: Ino = ROOT_INO;
    for (const name of path.split("/").filter((part) => part !== ""))
      ino = (await this.#fs.lookup(request(), ino, bytes(name))).stat.ino;
    return ino;
  }

  async parent(path: string): Promise<{ parent: Ino; name: Buffer }> {
    const at = path.lastIndexOf("/");
    return {
      parent: await this.ino(path.slice(0, Math.max(0, at))),
      name: bytes(path.slice(at + 1)),
    };
  }

  async stat(path: string): Promise<Stat> {
    return this.#fs.getattr(request(), await this.ino(path));
  }

  async create(path: string, mode = 0o644, flags: Partial<OpenFlags> = {}): Promise<HandleId> {
    const { parent, name } = await this.parent(path);
    const options = { mode, flags: { ...FLAGS, truncate: true, ...flags } };
    return (await this.#fs.create(request(), parent, name, options)).opened.handle;
  }

  async open(path: string, flags: Partial<OpenFlags> = {}): Promise<HandleId> {
    return (await this.#fs.open(request(), await this.ino(path), { ...FLAGS, ...flags })).handle;
  }

  write(handle: HandleId, offset: number, data: Uint8Array): Promise<void> {
    return this.#fs.write(request({ signal: this.#signal }), handle, offset, data);
  }

  async fsync(handle: HandleId): Promise<void> {
    await this.#fs.fsync(request({ signal: this.#signal }), handle, false);
  }

  async close(handle: HandleId, signal = this.#signal): Promise<void> {
    try {
      await this.#fs.flush(request({ signal }), handle, LIVE_CLOSE);
    } finally {
      await this.#fs.release(handle);
    }
  }

  async save(path: string, content: Uint8Array, pieceSize = 128 * 1024): Promise<void> {
    const handle = await this.create(path);
    for (let at = 0; at < content.length; at += pieceSize)
      await this.write(handle, at, content.subarray(at, at + pieceSize));
    await this.close(handle);
  }

  async read(path: string): Promise<Buffer> {
    const { size } = await this.stat(path);
    const handle = await this.open(path, { write: false });
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < size; at += 128 * 1024)
      pieces.push(
        Buffer.from(await this.#fs.read(request(), handle, at, Math.min(128 * 1024, size - at))),
      );
    await this.#fs.release(handle);
    return Buffer.concat(pieces);
  }

  async list(path: string): Promise<string[]> {
    const handle = await this.#fs.opendir(request(), await this.ino(path));
    const entries: DirectoryEntry[] = [];
    for (;;) {
      const more = await this.#fs.readdir(request(), handle, entries.length);
      entries.push(...more);
      if (more.length === 0) break;
    }
    await this.#fs.releasedir(handle);
    return entries
      .map(({ name }) => name)
      .filter((name) => name !== "." && name !== "..")
      .sort();
  }

  async mkdir(path: string): Promise<void> {
    const { parent, name } = await this.parent(path);
    await this.#fs.mkdir(request(), parent, name, 0o755);
  }

  async mknod(path: string, mode: number): Promise<void> {
    const { parent, name } = await this.parent(path);
    await this.#fs.mknod(request(), parent, name, mode);
  }

  async unlink(path: string): Promise<void> {
    const { parent, name } = await this.parent(path);
    await this.#fs.unlink(request(), parent, name);
  }

  async rmdir(path: string): Promise<void> {
    const { parent, name } = await this.parent(path);
    await this.#fs.rmdir(request(), parent, name);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#fs.rename(request(), await this.parent(from), await this.parent(to), {
      noReplace: false,
      exchange: false,
    });
  }

  async truncate(path: string, size: number): Promise<void> {
    await this.#fs.setattr(request(), await this.ino(path), { size });
  }
}
