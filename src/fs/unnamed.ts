// Files that are made without a name (O_TMPFILE) and may get one later, by linkat(2) of their descriptor.

import { KodomountError } from "../base/mod.ts";
import { childKey, S_IFREG } from "../model/mod.ts";
import type { Core } from "./core.ts";
import type { Files } from "./files.ts";
import { isLocal } from "./local-nodes.ts";
import { newAttributes } from "./new-attributes.ts";
import { keyOf, Places } from "./place.ts";
import type { Node } from "./tree.ts";
import type { Entry, Opened, OpenFlags, Request } from "./types.ts";
import { toStat, type View } from "./view.ts";

export class Unnamed {
  readonly #core: Core;
  readonly #view: View;
  readonly #files: Files;
  readonly #places: Places;

  constructor(parts: { core: Core; view: View; files: Files }) {
    this.#core = parts.core;
    this.#view = parts.view;
    this.#files = parts.files;
    this.#places = new Places(parts.core, parts.view);
  }

  async tmpfile(
    request: Request,
    parent: Node,
    options: { mode: number; flags: OpenFlags },
  ): Promise<Entry & { opened: Opened }> {
    this.#core.assertWritable();
    const { clock, publisher } = this.#core.options;
    const mode = S_IFREG | (options.mode & 0o7777);
    const attributes = await newAttributes(this.#view, request, parent, {
      mode,
      mtimeMs: clock.now(),
    });
    const ino = this.#core.newIno();
    const name = `(without a name, ${ino})`;
    const key = childKey(parent.key, name);
    const node = this.#core.tree.addNameless(name, ino);
    node.save = await publisher.beginNameless({ key, ino, attributes, base: { kind: "absent" } });
    node.isLinkable = !options.flags.exclusive;
    node.lookupCount += 1;
    const opened = this.#files.register(request, node, options.flags, undefined);
    return { stat: toStat(node, attributes, 0), opened };
  }

  /** The one hard link there can be: the first name of a file that was made without one. */
  async link(request: Request, node: Node, parent: Node, nameBytes: Uint8Array): Promise<Entry> {
    const place = this.#places.newPlace(parent, nameBytes);
    if (this.#core.answered(request)?.ino === node.ino && !node.isNameless)
      return this.#linked(request, node);
    if (!node.isLinkable || !node.isNameless || node.save === undefined)
      throw new KodomountError("NotPermitted", "A bucket has no hard links");
    if ((await this.#view.find(parent, place.name, request.signal)) !== undefined)
      throw new KodomountError("Exists", `${place.name} exists`);
    const { publisher } = this.#core.options;
    using _ = await this.#core.names.acquire(request.signal);
    const key = keyOf(place, "file");
    if (publisher.find(key)?.content !== undefined || isLocal(place))
      throw new KodomountError("Exists", `${place.name} exists`);
    await publisher.enter(node.save, key, this.#core.remember(request, { ino: node.ino }));
    this.#core.tree.move(node, parent, place.name);
    node.isLinkable = false;
    return await this.#linked(request, node);
  }

  async #linked(request: Request, node: Node): Promise<Entry> {
    const stat = await this.#view.stat(node, request.signal);
    node.lookupCount += 1;
    return { stat };
  }
}
