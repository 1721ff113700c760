// What a close means: which FLUSH is one, what it promises before it returns, and the verdict at the last release (design
// "What is a close" and "The end of a writer").

import { codeOf } from "../base/mod.ts";
import { type HandleId, partCount } from "../model/mod.ts";
import type { Save } from "../publish/mod.ts";
import type { Core } from "./core.ts";
import type { FileHandle } from "./handles.ts";
import { endNameless } from "./keep.ts";
import type { Node } from "./tree.ts";
import type { Closing, Request } from "./types.ts";

export class Closes {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** One close(2), or one exit: design "What is a close" and "The end of a writer". */
  async flush(request: Request, id: HandleId, closing: Closing): Promise<void> {
    const handle = this.#core.handles.file(id);
    const { node } = handle;
    if (!handle.write || node.isNameless) return;
    if (closing.end === "killed") {
      if (node.save !== undefined) node.killed = true;
      return;
    }
    const save = node.save;
    if (save === undefined || !save.dirty) return this.#joinPending(node, request.signal);
    save.assertAccepted();
    if (closing.end === "exited") return this.#keep(node, save);
    if (!(await this.#isCommit(handle, closing))) return;
    const closed = await this.close(node, save, request.signal);
    if (closed !== undefined) await this.#awaitPromise(closed, request.signal);
  }

  async release(id: HandleId): Promise<void> {
    const handle = this.#core.handles.remove(id);
    if (handle === undefined) return;
    const { node } = handle;
    if (handle.kind === "file" && handle.write) {
      node.writers -= 1;
      if (node.writers === 0 && !node.isNameless) await this.#lastRelease(node, handle);
    }
    await endNameless(this.#core, node);
    if (node.handles === 0 && node.remote !== undefined)
      this.#core.options.loader.stopReading(node.remote);
    if (node.handles === 0 && !node.isNameless) this.#letExpire(node);
    this.#core.tree.prune(node);
  }

  /** A file under a held name that nobody uses any more is interrupted after a while. */
  #letExpire(node: Node): void {
    const { publisher } = this.#core.options;
    const held = publisher.find(node.key)?.closed;
    if (held?.record.state.kind === "held") publisher.letExpire(held, () => node.handles > 0);
  }

  /** An exiting process cannot be told anything, nor be interrupted: only make it safe; the last release closes it. */
  async #keep(node: Node, save: Save): Promise<void> {
    using _ = await node.mutex.acquire();
    if (node.save === save)
      await orRefuse(this.#core, save, () => this.#core.options.publisher.sync(save));
  }

  /** Whether this FLUSH is the close of the file, and not of one of several descriptors. */
  async #isCommit(handle: FileHandle, closing: Closing): Promise<boolean> {
    const { node } = handle;
    const opener = await handle.opener;
    if (closing.tgid === undefined || closing.heldElsewhere === undefined || opener === undefined) {
      if (node.guessed) return false;
      node.guessed = true;
      return true;
    }
    return closing.tgid === opener && !closing.heldElsewhere;
  }

  async close(node: Node, save: Save, signal?: AbortSignal): Promise<Save | undefined> {
    const { publisher } = this.#core.options;
    using _ = await node.mutex.acquire(signal);
    if (node.isNameless) return undefined;
    if (node.save !== save) return publisher.find(node.key)?.newestClosed; // somebody else has closed it meanwhile
    if (!(await this.#hold(save, signal))) {
      const waits = signal !== undefined && this.#waitsForCommit(save);
      await orRefuse(this.#core, save, () => publisher.close(save, { durable: !waits }));
    }
    // Its name may have gone meanwhile, and who has it open still wants its content.
    if (save.isNameless) return undefined;
    node.save = undefined;
    node.killed = false;
    return save;
  }

  /**
   * Under a held name: its parts are brought to where it will be renamed, so that the rename costs one request; if that
   * is not known, or nobody waits, it is made durable here.
   * @returns false when its name is an ordinary one.
   */
  async #hold(save: Save, signal: AbortSignal | undefined): Promise<boolean> {
    const { closeMode, publisher } = this.#core.options;
    const isHeld = (): boolean => save.record.held !== undefined;
    if (!isHeld()) return false;
    let isSent = false;
    try {
      if (signal !== undefined && closeMode !== "local")
        await orRefuse(this.#core, save, async () => {
          isSent = await publisher.sendHeld(save, signal);
        });
    } catch (error) {
      // By a signal, which ends the wait and not the save; or it is being renamed in this moment.
      if (codeOf(error) !== "Interrupted") throw error;
    }
    if (!isHeld()) return false;
    await orRefuse(this.#core, save, () => publisher.hold(save, { durable: !isSent }));
    return true;
  }

  /** Above one part the close waits for the bucket, which then has it all: local durability is not needed. */
  #waitsForCommit(save: Save): boolean {
    const { closeMode, publisher } = this.#core.options;
    if (save.record.streaming) return true;
    if (closeMode === "commit") return partCount(publisher.plan, save.content.size) > 1;
    return closeMode === "strict";
  }

  /** What a close has to wait for before it may return. */
  async #awaitPromise(closed: Save, signal: AbortSignal): Promise<void> {
    const { closeMode, publisher } = this.#core.options;
    if (closeMode === "local" && !closed.record.streaming) return;
    if (closed.record.state.kind === "held") return publisher.withinLag(closed, signal);
    if (this.#waitsForCommit(closed)) await publisher.published(closed, signal);
    else await publisher.withinLag(closed, signal);
  }

  /** A FLUSH without new bytes: nothing to do, or the same wait as the close before. */
  async #joinPending(node: Node, signal: AbortSignal): Promise<void> {
    node.save?.assertAccepted();
    const closed = this.#core.options.publisher.find(node.key)?.newestClosed;
    if (closed === undefined || closed.record.state.kind === "held") return;
    if (closed.record.state.kind === "parked" || this.#waitsForCommit(closed))
      await this.#awaitPromise(closed, signal);
  }

  /** The last writer is gone: the verdict over what was written since the last close. */
  async #lastRelease(node: Node, last: FileHandle): Promise<void> {
    const { publisher } = this.#core.options;
    const save = node.save;
    node.guessed = false;
    if (save === undefined) return;
    if (
      save.record.state.kind === "refused" ||
      (node.killed && !last.append && !save.record.fsynced)
    ) {
      using _ = await node.mutex.acquire();
      node.save = undefined;
      node.killed = false;
      return await publisher.interrupt(save);
    }
    await this.close(node, save);
  }
}

/** If `task` fails, other than by a signal, the save is refused: half of it must not be published. */
export async function orRefuse(core: Core, save: Save, task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    if (codeOf(error) !== "Interrupted") await core.options.publisher.refuse(save, error);
    throw error;
  }
}
