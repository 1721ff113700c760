// Plays a program's operations on a filesystem without a kernel, and tells the model what was promised. It ends as a real
// program would: at the first error by exit, by a signal at any moment, or since the mount is gone.

import { codeOf } from "../../../src/base/mod.ts";
import type { Filesystem } from "../../../src/fs/mod.ts";
import type { HandleId } from "../../../src/model/mod.ts";
import { Driver } from "../../support/driver.ts";
import { request } from "../../support/world.ts";
import { contentOf } from "./content.ts";
import type { Life } from "./life.ts";
import type { Model } from "./model.ts";
import type { Operation } from "./operations.ts";

/** How a program ended. */
export type Ending =
  | { readonly kind: "done" | "gone" | "killed" }
  | { readonly kind: "failed"; readonly code: string; readonly operation: Operation };

const EXIT = { tgid: 1000, heldElsewhere: false } as const;

const RENAME_TRIES = 5;

export class Player {
  readonly #filesystem: Filesystem;
  readonly #driver: Driver;
  readonly #model: Model;
  readonly #life: Life;
  readonly #handles = new Map<string, HandleId>();
  readonly #signal = new AbortController();

  constructor(parts: { filesystem: Filesystem; model: Model; life: Life }) {
    this.#filesystem = parts.filesystem;
    this.#model = parts.model;
    this.#life = parts.life;
    this.#driver = new Driver(parts.filesystem, this.#signal.signal);
  }

  /** SIGKILL: what it waits for ends at once, nothing else is begun. @returns true. */
  kill(): true {
    this.#signal.abort();
    return true;
  }

  async play(operations: readonly Operation[]): Promise<Ending> {
    for (const operation of operations) {
      if (this.#signal.signal.aborted) return this.#end("killed");
      this.#life.moments.note("operation", "before");
      this.#model.before(operation);
      try {
        await this.#life.orGone(this.#do(operation));
      } catch (error) {
        if (this.#life.isOver) return { kind: "gone" };
        if (this.#signal.signal.aborted) return this.#end("killed");
        if (!isHarmless(operation, codeOf(error))) {
          await this.#end("exited");
          return { kind: "failed", code: codeOf(error), operation };
        }
      }
      if (this.#life.isOver) return { kind: "gone" };
      this.#model.after(operation);
      this.#life.moments.note("operation", "after");
    }
    return { kind: "done" };
  }

  /** The kernel closes what is still open. */
  async #end(how: "killed" | "exited"): Promise<Ending> {
    this.#model.ended(how, "before");
    try {
      for (const handle of this.#handles.values()) {
        const flushed = this.#filesystem.flush(request(), handle, { ...EXIT, end: how });
        // Errors of a FLUSH at exit reach nobody.
        await this.#life.orGone(flushed).catch(() => {});
        await this.#life.orGone(this.#filesystem.release(handle)).catch(() => {});
      }
    } finally {
      this.#handles.clear();
    }
    if (this.#life.isOver) return { kind: "gone" };
    this.#model.ended(how, "after");
    return { kind: "killed" };
  }

  async #do(operation: Operation): Promise<void> {
    switch (operation.do) {
      case "mkdir":
        return this.#driver.mkdir(operation.path);
      case "create": {
        const isPrivate = operation.private === true;
        const handle = isPrivate
          ? this.#driver.create(operation.path, 0o600, { exclusive: true, truncate: false })
          : this.#driver.create(operation.path);
        return void this.#handles.set(operation.file, await handle);
      }
      case "open": {
        const { path, append = false } = operation;
        return void this.#handles.set(operation.file, await this.#driver.open(path, { append }));
      }
      case "write": {
        const { file, at, name, version, size } = operation;
        const bytes = contentOf(name, version, { offset: at, size });
        return this.#driver.write(this.#handle(file), at, bytes);
      }
      case "truncate":
        return this.#driver.truncate(this.#model.pathOf(operation.file), operation.size);
      case "fsync":
        return this.#driver.fsync(this.#handle(operation.file));
      case "close": {
        const handle = this.#handle(operation.file);
        this.#handles.delete(operation.file);
        return this.#driver.close(handle);
      }
      case "rename":
        return this.#rename(operation.from, operation.to);
      case "unlink":
        return this.#driver.unlink(operation.path);
      case "run":
        throw new Error("a program of others needs a real mount");
    }
  }

  /** While what is there is being completed it is refused after a while: then it is tried again, as people do. */
  async #rename(from: string, to: string): Promise<void> {
    for (let tries = RENAME_TRIES; ; tries -= 1)
      try {
        return await this.#driver.rename(from, to);
      } catch (error) {
        if (codeOf(error) !== "Busy" || tries === 1) throw error;
      }
  }

  #handle(file: string): HandleId {
    const handle = this.#handles.get(file);
    if (handle === undefined) throw new Error(`the program has not opened ${file}`);
    return handle;
  }
}

/** What a program takes in its stride, when it is run again over what it has left. */
function isHarmless(operation: Operation, code: string): boolean {
  return operation.do === "mkdir" && code === "Exists";
}
