// A bounded number of open spill files: opening one for every write would cost as much as the write.

import type { SpillIo } from "./io.ts";

const OPEN_MAX = 256;

interface Open {
  readonly fd: Promise<number>;
  users: number;
  dropped: boolean;
}

export class Descriptors {
  readonly #io: SpillIo;
  /** INVARIANT: least recently used first. */
  readonly #open = new Map<string, Open>();

  constructor(io: SpillIo) {
    this.#io = io;
  }

  /** Runs `task` with the file at `path` open; it stays open for the next one. */
  async use<T>(path: string, task: (fd: number) => Promise<T>): Promise<T> {
    const file = this.#get(path);
    file.users += 1;
    try {
      return await task(await file.fd);
    } finally {
      file.users -= 1;
      await this.#closeIfUnused(file);
    }
  }

  /** Forgets the file; it is closed when nobody uses it any more. */
  async drop(path: string): Promise<void> {
    const file = this.#open.get(path);
    if (file === undefined) return;
    this.#open.delete(path);
    file.dropped = true;
    await this.#closeIfUnused(file);
  }

  async dropAll(prefix: string): Promise<void> {
    for (const path of [...this.#open.keys()]) if (path.startsWith(prefix)) await this.drop(path);
  }

  #get(path: string): Open {
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    const file: Open = { fd: this.#io.open(path), users: 0, dropped: false };
    file.fd.catch(() => this.#open.delete(path)); // who asked for it gets the error
    this.#open.set(path, file);
    for (const [oldest, { users }] of this.#open) {
      if (this.#open.size <= OPEN_MAX) break;
      if (users === 0 && oldest !== path) this.#evict(oldest);
    }
    return file;
  }

  #evict(path: string): void {
    const file = this.#open.get(path);
    if (file === undefined) return;
    this.#open.delete(path);
    file.dropped = true;
    file.fd
      .then((fd) => this.#io.close(fd))
      .catch(() => {
        // Closing a file whose bytes no fsync was asked for loses nothing that was promised.
      });
  }

  async #closeIfUnused(file: Open): Promise<void> {
    if (!file.dropped || file.users > 0) return;
    const fd = await file.fd.catch(() => undefined);
    if (fd !== undefined) await this.#io.close(fd);
  }
}
