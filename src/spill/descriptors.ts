// A bounded number of open spill files: opening one for every write would cost as much as the write.

import type { SpillIo } from "./io.ts";

/** With what the sender and the catalog have open, well below the usual limit of 1,024 a process. */
const OPEN_MAX = 256;

interface OpenFile {
  readonly fd: Promise<number>;
  /** Opening it makes it when it is missing. */
  readonly create: boolean;
  users: number;
  /** It is not in the table any more, and closed when nobody uses it. */
  dropped: boolean;
}

export class Descriptors {
  readonly #io: SpillIo;
  /** INVARIANT: least recently used first; at most `OPEN_MAX` together with the dropped ones that are still open. */
  readonly #open = new Map<string, OpenFile>();
  /** Descriptors that are open, or being opened or closed. */
  #count = 0;
  /** Who waits for a descriptor. Each release wakes one: to wake all for one place is work by the square of their number. */
  readonly #waiters: (() => void)[] = [];

  constructor(io: SpillIo) {
    this.#io = io;
  }

  /**
   * Runs `task` with the file at `path` open; it stays open for the next one.
   * @param options.create make it when it is missing; otherwise that rejects with ENOENT.
   */
  async use<T>(
    path: string,
    options: { create: boolean },
    task: (fd: number) => Promise<T>,
  ): Promise<T> {
    while (!this.#open.has(path) && this.#count >= OPEN_MAX) await this.#makeRoom();
    const file = this.#get(path, options.create);
    file.users += 1;
    try {
      const fd = await openedOr(file, options.create);
      if (fd !== undefined) return await task(fd);
    } finally {
      file.users -= 1;
      await this.#closeIfUnused(file);
    }
    return this.use(path, options, task);
  }

  /** Forgets the file; it is closed when nobody uses it any more. */
  async drop(path: string): Promise<void> {
    const file = this.#open.get(path);
    if (file === undefined) return;
    this.#open.delete(path);
    file.dropped = true;
    await this.#closeIfUnused(file);
  }

  /** Forgets all files whose path starts with `prefix`. */
  async dropAll(prefix: string): Promise<void> {
    for (const path of [...this.#open.keys()]) if (path.startsWith(prefix)) await this.drop(path);
  }

  #get(path: string, create: boolean): OpenFile {
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    const file: OpenFile = {
      fd: this.#io.open(path, { create }),
      create,
      users: 0,
      dropped: false,
    };
    file.fd.catch(() => {
      // Who asked for it gets the error.
      if (this.#open.get(path) === file) this.#open.delete(path);
      this.#hasClosed();
    });
    this.#count += 1;
    this.#open.set(path, file);
    return file;
  }

  /** Closes the one that was not used for longest, or waits until one is released. */
  async #makeRoom(): Promise<void> {
    for (const [path, { users }] of this.#open)
      if (users === 0) {
        // Closing a file whose bytes no fsync was asked for loses nothing that was promised.
        await this.drop(path).catch(() => undefined);
        return;
      }
    await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  async #closeIfUnused(file: OpenFile): Promise<void> {
    if (file.users > 0) return;
    if (!file.dropped) return this.#waiters.shift()?.();
    const fd = await file.fd.catch(() => undefined); // it was never open
    if (fd === undefined) return;
    try {
      await this.#io.close(fd);
    } finally {
      this.#hasClosed();
    }
  }

  #hasClosed(): void {
    this.#count -= 1;
    this.#waiters.shift()?.();
  }
}

/** undefined: somebody else had tried to open it without making it; ask again. */
async function openedOr(file: OpenFile, create: boolean): Promise<number | undefined> {
  try {
    return await file.fd;
  } catch (error) {
    if (create && !file.create) return undefined;
    throw error;
  }
}
