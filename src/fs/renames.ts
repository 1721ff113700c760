// Renames: what is pending moves at once, what is in the bucket is copied and deleted there in the background.

import { anySignal, KodomountError } from "../base/mod.ts";
import { parseName } from "../model/mod.ts";
import type { Save } from "../publish/mod.ts";
import { assertReadable } from "./archives.ts";
import type { Core } from "./core.ts";
import { keeperOf } from "./keep.ts";
import { moveDirectory } from "./move-directory.ts";
import { keyOf, type Place, Places, pendingOf } from "./place.ts";
import type { Node } from "./tree.ts";
import type { Request } from "./types.ts";
import type { Found, View } from "./view.ts";

/** A directory is frozen for everybody while one of its names is changed. */
const COMMIT_WAIT_MS = 3000;

export class Renames {
  readonly #core: Core;
  readonly #view: View;
  readonly #places: Places;

  constructor(core: Core, view: View) {
    this.#core = core;
    this.#view = view;
    this.#places = new Places(core, view);
  }

  async rename(
    request: Request,
    from: { parent: Node; name: Uint8Array },
    to: { parent: Node; name: Uint8Array },
    flags: { noReplace: boolean; exchange: boolean },
  ): Promise<void> {
    if (flags.exchange)
      throw new KodomountError("Invalid", "Two names cannot be exchanged in one step here");
    if (this.#core.answered(request)) return;
    const source = { parent: from.parent, name: parseName(from.name) };
    const destination = this.#places.newPlace(to.parent, to.name);
    let isSame = false;
    await this.#places.lookingAgain(source, request, async (found) => {
      const { parent, name } = destination;
      const target = await this.#view.find(parent, name, request.signal);
      if (target !== undefined && flags.noReplace)
        throw new KodomountError("Exists", `${name} exists`);
      isSame = target?.key === found.key;
      if (isSame) return true;
      await this.#assertReplaces(found, target, destination, request);
      if (found.kind === "file" && found.current.kind === "local")
        return this.#clear(request, destination, target);
      if (found.kind === "file") return this.#moveFile(request, found, destination, target);
      const to = keyOf(destination, "directory");
      return moveDirectory(this.#core, { request, from: found.key, to });
    });
    if (isSame) return;
    source.parent.pinned = true;
    const node = source.parent.children.get(source.name);
    if (node !== undefined) {
      this.#core.tree.move(node, destination.parent, destination.name);
      node.changedMs = this.#core.options.clock.now();
    } else {
      const replaced = destination.parent.children.get(destination.name);
      if (replaced !== undefined) this.#core.tree.detach(replaced);
    }
  }

  /** A pipe or socket is nowhere but in the tree: only what it replaces is to go. @returns false: look again. */
  async #clear(request: Request, place: Place, target: Found | undefined): Promise<boolean> {
    if (target?.kind !== "file" || target.current.kind === "local") return true;
    const object = await this.#places.objectAt(target, request.signal);
    const pending = pendingOf(target);
    return this.#places.remove(request, place, { key: target.key, object, pending });
  }

  /** @returns false when something else is pending at the source by now. */
  async #moveFile(
    request: Request,
    found: Found & { kind: "file" },
    destination: Place,
    target: Found | undefined,
  ): Promise<boolean> {
    const { publisher } = this.#core.options;
    const to = keyOf(destination, "file");
    if (found.current.kind === "remote")
      await assertReadable(this.#core, found.current.file, request.signal);
    const object = await this.#places.objectAt(found, request.signal);
    const replaced =
      target?.kind === "file" ? await this.#places.objectAt(target, request.signal) : undefined;
    const pending = pendingOf(found);
    const save = found.current.kind === "save" ? found.current.save : undefined;
    const held = save?.record.state.kind === "held" ? save : undefined;
    {
      using _ = await this.#core.names.acquire(request.signal);
      const node = destination.parent.children.get(destination.name);
      await using keeper = await keeperOf(this.#core, this.#view, node, request.signal);
      const move = { from: found.key, to, object, target: replaced?.etag, pending, keeper };
      const changes = await publisher.rename([move]);
      if (changes === undefined) return false;
      await publisher.journal(changes, [found.key, to], this.#core.remember(request, {}));
    }
    if (held !== undefined) await this.#awaitCommit(request, held);
    return true;
  }

  /** A file whose parts are all in the store needs one request: who renames it waits for that, but not for ever. */
  async #awaitCommit(request: Request, save: Save): Promise<void> {
    const { closeMode, publisher } = this.#core.options;
    const isWhole = save.content.partCount > 1 && save.record.state.kind === "closed";
    if (!isWhole || closeMode === "local") return;
    const limit = anySignal(request.signal, AbortSignal.timeout(COMMIT_WAIT_MS));
    // Renamed it is all the same: what keeps it from the bucket is in the log and in `status`.
    await publisher.published(save, limit).catch(() => undefined);
  }

  async #assertReplaces(
    found: Found,
    target: Found | undefined,
    destination: Place,
    request: Request,
  ): Promise<void> {
    if (found.kind === "directory" && keyOf(destination, "directory").startsWith(found.key))
      throw new KodomountError("Invalid", "A directory cannot be moved into itself");
    if (target === undefined) return;
    if (target.kind === "directory" && found.kind !== "directory")
      throw new KodomountError("IsDirectory", `${destination.name} is a directory`);
    if (target.kind !== "directory" && found.kind === "directory")
      throw new KodomountError("NotDirectory", `${destination.name} is not a directory`);
    if (target.kind === "directory")
      await this.#places.assertEmpty(destination, target.key, request);
  }
}
