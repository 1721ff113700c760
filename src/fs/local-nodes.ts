// Pipes and sockets: nodes of this mount only. A bucket cannot hold them, and what goes through them never passes here: the
// kernel does that by itself. What is kept is that they are there, and their attributes, in memory: a socket means nothing
// without the process that has bound it, and programs make their pipes anew.

import { KodomountError } from "../base/mod.ts";
import { S_IFIFO, S_IFMT, S_IFSOCK } from "../model/mod.ts";
import type { Core } from "./core.ts";
import { newAttributes } from "./new-attributes.ts";
import { keyOf, type Place, type Places } from "./place.ts";
import type { Node } from "./tree.ts";
import type { Entry, Request } from "./types.ts";
import { toStat, type View } from "./view.ts";

/** @param type `S_IFMT` bits of what is to be made. */
export function isLocalType(type: number): boolean {
  return type === S_IFIFO || type === S_IFSOCK;
}

/** Whether a pipe or socket is there. */
export function isLocal({ parent, name }: Place): boolean {
  return parent.children.get(name)?.local !== undefined;
}

export class LocalNodes {
  readonly #core: Core;
  readonly #view: View;
  readonly #places: Places;

  constructor(core: Core, view: View, places: Places) {
    this.#core = core;
    this.#view = view;
    this.#places = places;
  }

  /** @param mode with its type. @throws `Exists`. */
  async make(request: Request, parent: Node, nameBytes: Uint8Array, mode: number): Promise<Entry> {
    const place = this.#places.newPlace(parent, nameBytes);
    const { clock, publisher } = this.#core.options;
    const attributes = await newAttributes(this.#view, request, parent, {
      mode: mode & (S_IFMT | 0o7777),
      mtimeMs: clock.now(),
    });
    const found = await this.#view.find(parent, place.name, request.signal);
    using _ = await this.#core.names.acquire(request.signal);
    const pending = publisher.find(keyOf(place, "file"))?.visible;
    if (found !== undefined || pending !== undefined || isLocal(place))
      throw new KodomountError("Exists", `${place.name} exists`);
    const node = this.#core.tree.add(parent, place.name, "file", this.#core.newIno());
    node.local = attributes;
    node.lookupCount += 1;
    return { stat: toStat(node, attributes, 0) };
  }

  /** @returns false when it is not there any more: look again. */
  async remove(request: Request, { parent, name }: Place): Promise<boolean> {
    using _ = await this.#core.names.acquire(request.signal);
    const node = parent.children.get(name);
    if (node?.local === undefined) return false;
    parent.pinned = true;
    this.#core.tree.detach(node);
    return true;
  }
}
