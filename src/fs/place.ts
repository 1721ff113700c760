// A name in a directory, and what is there: what every change of names looks at first.

import { KodomountError } from "../base/mod.ts";
import {
  type Attributes,
  assertKeyFits,
  childDirectoryKey,
  childKey,
  type Etag,
  type Key,
  parseName,
} from "../model/mod.ts";
import type { CopyWant, Save } from "../publish/mod.ts";
import type { Core } from "./core.ts";
import { DirectoryView } from "./directory-view.ts";
import { keeperOf } from "./keep.ts";
import { lookAgain } from "./look-again.ts";
import { assertNotReserved, isReserved } from "./reserved.ts";
import type { Node } from "./tree.ts";
import type { Request } from "./types.ts";
import { type Found, objectOf, type View } from "./view.ts";

export interface Place {
  readonly parent: Node;
  readonly name: string;
}

export class Places {
  readonly #core: Core;
  readonly #view: View;

  constructor(core: Core, view: View) {
    this.#core = core;
    this.#view = view;
  }

  /** What was found may be committed, or replaced, while it is looked at: then once more. */
  async lookingAgain(
    place: Place,
    request: Request,
    change: (found: Found) => Promise<boolean>,
  ): Promise<void> {
    await lookAgain(place.name, async () => {
      const found = await this.find(place, request);
      const isDone = await change(found);
      if (!isDone) this.#core.options.loader.forget(found.key);
      return isDone;
    });
  }

  async find(place: Place, request: Request): Promise<Found> {
    assertNotReserved(keyOf(place, "file"));
    const found = await this.#view.find(place.parent, place.name, request.signal);
    if (found === undefined) throw new KodomountError("NotFound", `${place.name} is not there`);
    return found;
  }

  /** The object that the bucket has at a file's key, with the attributes the file has. */
  async objectAt(
    found: Found,
    signal: AbortSignal,
  ): Promise<{ etag: Etag; size: number; attributes: Attributes } | undefined> {
    if (found.kind === "directory") return undefined;
    const own = objectOf(found.current);
    if (own !== undefined && found.current.kind === "remote")
      return { ...own, attributes: await this.#view.remoteAttributes(found.current.file, signal) };
    if (found.current.kind === "copy") return undefined;
    const remote = await this.#core.options.loader.file(found.key, signal);
    return remote && { etag: remote.etag, size: remote.size, attributes: remote.attributes };
  }

  async assertEmpty(place: Place, key: Key, request: Request): Promise<void> {
    const resident = place.parent.children.get(place.name);
    const node =
      resident ?? this.#core.tree.add(place.parent, place.name, "directory", this.#core.newIno());
    this.#core.options.loader.forget(key);
    const names = await new DirectoryView(this.#core, this.#view).names(node, request.signal);
    if (resident === undefined) this.#core.tree.prune(node);
    if (names.size > 0) throw new KodomountError("NotEmpty", `${place.name} is not empty`);
  }

  /** What was found at a place goes. @returns false when something else is pending there by now. */
  async remove(
    request: Request,
    place: Place,
    what: {
      key: Key;
      object: { etag?: Etag } | undefined;
      pending: Save | CopyWant | undefined;
    },
  ): Promise<boolean> {
    const { publisher } = this.#core.options;
    using _ = await this.#core.names.acquire(request.signal);
    const node = place.parent.children.get(place.name);
    await using keeper = await keeperOf(this.#core, this.#view, node, request.signal);
    const changes = await publisher.remove(what.key, { ...what, keeper });
    if (changes === undefined) return false;
    await publisher.journal(changes, [what.key], this.#core.remember(request, {}));
    place.parent.pinned = true;
    if (node !== undefined) this.#core.tree.detach(node);
    return true;
  }

  newPlace(parent: Node, nameBytes: Uint8Array): Place {
    this.#core.assertWritable();
    const place = { parent, name: parseName(nameBytes) };
    assertNotReserved(keyOf(place, "file"));
    const { prefix, keySizeMax } = this.#core.options;
    assertKeyFits(prefix, keyOf(place, "directory"), keySizeMax);
    return place;
  }
}

export function keyOf(place: Place, kind: "file" | "directory"): Key {
  return kind === "directory"
    ? childDirectoryKey(place.parent.key, place.name)
    : childKey(place.parent.key, place.name);
}

/** What was found pending at a file's key, if anything: see `Slot.content`. */
export function pendingOf(found: Found): Save | CopyWant | undefined {
  if (found.kind === "directory") return undefined;
  const { current } = found;
  if (current.kind === "save") return current.save;
  return current.kind === "copy" ? current.want : undefined;
}

/** The node of what was found at a place. The reference that the kernel gets is the caller's to count. */
export function nodeFor(core: Core, place: Place, found: Found): Node {
  const resident = place.parent.children.get(place.name);
  const known =
    found.kind === "file" && found.current.kind === "save" && !isReserved(found.key)
      ? found.current.save.record.ino
      : undefined;
  const node =
    resident?.kind === found.kind
      ? resident
      : core.tree.add(place.parent, place.name, found.kind, known ?? core.newIno());
  if (found.kind === "file" && found.current.kind === "remote" && node.handles === 0)
    node.remote = found.current.file;
  return node;
}
