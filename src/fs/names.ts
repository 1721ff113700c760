// Operations on names. Each change is one synced batch before the reply, made under one lock; the bucket follows.

import { invariant, KodomountError } from "../base/mod.ts";
import { type Base, parseName, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../model/mod.ts";
import type { Core } from "./core.ts";
import type { Files } from "./files.ts";
import { isSymlink } from "./files.ts";
import { isLocal, isLocalType, LocalNodes } from "./local-nodes.ts";
import { newAttributes } from "./new-attributes.ts";
import { keyOf, nodeFor, type Place, Places, pendingOf } from "./place.ts";

import type { Node } from "./tree.ts";
import type { Entry, Opened, OpenFlags, Request } from "./types.ts";
import { type Found, toStat, type View } from "./view.ts";

/** Longest symlink target, as PATH_MAX. */
const TARGET_SIZE_MAX = 4095;

export class Names {
  readonly #core: Core;
  readonly #view: View;
  readonly #files: Files;
  readonly #places: Places;
  readonly #locals: LocalNodes;

  constructor(core: Core, view: View, files: Files) {
    this.#core = core;
    this.#view = view;
    this.#files = files;
    this.#places = new Places(core, view);
    this.#locals = new LocalNodes(core, view, this.#places);
  }

  async lookup(request: Request, parent: Node, nameBytes: Uint8Array): Promise<Entry> {
    const name = parseName(nameBytes);
    const found = await this.#view.find(parent, name, request.signal);
    if (found === undefined) throw new KodomountError("NotFound", `${name} is not there`);
    return this.#entry(request, { parent, name }, found);
  }

  async create(
    request: Request,
    parent: Node,
    nameBytes: Uint8Array,
    options: { mode: number; flags: OpenFlags },
  ): Promise<Entry & { opened: Opened }> {
    const place = this.#places.newPlace(parent, nameBytes);
    const { flags } = options;
    const found = await this.#view.find(place.parent, place.name, request.signal);
    if (found !== undefined) {
      if (flags.exclusive && this.#core.answered(request) === undefined)
        throw new KodomountError("Exists", `${place.name} exists`);
      const entry = await this.#entry(request, place, found);
      return { ...entry, opened: await this.#files.open(request, entry.stat.ino, flags) };
    }
    const madePrivate =
      flags.exclusive && flags.read && flags.write && (options.mode & 0o777) === 0o600;
    const entry = await this.#newFile(request, place, {
      mode: S_IFREG | (options.mode & 0o7777),
      madePrivate,
    });
    return {
      ...entry,
      opened: this.#files.register(request, this.#core.node(entry.stat.ino), flags, undefined),
    };
  }

  /** An empty file that is closed at once; a pipe or a socket. */
  async mknod(request: Request, parent: Node, nameBytes: Uint8Array, mode: number): Promise<Entry> {
    const type = mode & S_IFMT;
    if (isLocalType(type)) return this.#locals.make(request, parent, nameBytes, mode);
    if (type !== 0 && type !== S_IFREG)
      throw new KodomountError("NotPermitted", "A bucket has no devices");
    return this.#make(request, parent, nameBytes, { mode: S_IFREG | (mode & 0o7777) });
  }

  async mkdir(request: Request, parent: Node, nameBytes: Uint8Array, mode: number): Promise<Entry> {
    const entry = await this.#make(request, parent, nameBytes, { mode: S_IFDIR | (mode & 0o7777) });
    // Nothing was there, so nothing is in it: the first files in it ask nobody.
    this.#core.options.loader.noteNew(this.#core.node(entry.stat.ino).key);
    return entry;
  }

  async symlink(
    request: Request,
    parent: Node,
    nameBytes: Uint8Array,
    target: Uint8Array,
  ): Promise<Entry> {
    if (target.length > TARGET_SIZE_MAX)
      throw new KodomountError(
        "NameTooLong",
        `The target of a symlink can have at most ${TARGET_SIZE_MAX} bytes`,
      );
    return this.#make(request, parent, nameBytes, { mode: S_IFLNK | 0o777, content: target });
  }

  async readlink(request: Request, node: Node): Promise<string> {
    const stat = await this.#view.stat(node, request.signal);
    if (!isSymlink(stat.mode)) throw new KodomountError("Invalid", `${node.name} is not a symlink`);
    return Buffer.from(await this.#files.readWhole(request, node, stat.size)).toString("utf8");
  }

  async unlink(request: Request, parent: Node, nameBytes: Uint8Array): Promise<void> {
    this.#core.assertWritable();
    if (this.#core.answered(request)) return;
    const place = { parent, name: parseName(nameBytes) };
    await this.#places.lookingAgain(place, request, async (found) => {
      if (found.kind === "directory")
        throw new KodomountError("IsDirectory", `${place.name} is a directory`);
      if (found.current.kind === "local") return this.#locals.remove(request, place);
      const object = await this.#places.objectAt(found, request.signal);
      return this.#places.remove(request, place, {
        key: found.key,
        object,
        pending: pendingOf(found),
      });
    });
  }

  async rmdir(request: Request, parent: Node, nameBytes: Uint8Array): Promise<void> {
    this.#core.assertWritable();
    if (this.#core.answered(request)) return;
    const place = { parent, name: parseName(nameBytes) };
    await this.#places.lookingAgain(place, request, async (found) => {
      if (found.kind !== "directory")
        throw new KodomountError("NotDirectory", `${place.name} is not a directory`);
      await this.#places.assertEmpty(place, found.key, request);
      const slot = this.#core.options.publisher.find(found.key);
      const neverPublished = slot?.visible?.record.held !== undefined;
      const object = neverPublished ? undefined : {};
      return this.#places.remove(request, place, {
        key: found.key,
        object,
        pending: slot?.content,
      });
    });
  }

  /** A thing that is whole at once: a directory, a symlink, an empty file. */
  async #make(
    request: Request,
    parent: Node,
    nameBytes: Uint8Array,
    what: { mode: number; content?: Uint8Array },
  ): Promise<Entry> {
    const before = this.#core.answered(request);
    const place = this.#places.newPlace(parent, nameBytes);
    const found = await this.#view.find(place.parent, place.name, request.signal);
    if (found !== undefined) {
      if (before !== undefined) return this.#entry(request, place, found);
      throw new KodomountError("Exists", `${place.name} exists`);
    }
    const entry = await this.#newFile(request, place, what);
    const node = this.#core.node(entry.stat.ino);
    const { save } = node;
    invariant(save !== undefined, "what was just made is being saved");
    const { publisher } = this.#core.options;
    const options = { durable: true, reply: this.#core.remember(request, { ino: node.ino }) };
    try {
      if (what.content !== undefined) await save.content.write(0, what.content);
      if (save.record.held === undefined) await publisher.close(save, options);
      else await publisher.hold(save, options);
    } catch (error) {
      // Nobody has it open who could close it once more.
      node.save = undefined;
      this.#forget(node);
      await publisher.discard(save);
      throw error;
    }
    node.save = undefined;
    return { stat: await this.#view.stat(node, request.signal) };
  }

  /** A node and an open save under a name where nothing is. */
  async #newFile(
    request: Request,
    place: Place,
    what: { mode: number; madePrivate?: boolean },
  ): Promise<Entry> {
    const { clock, publisher, foresee } = this.#core.options;
    const { mode, madePrivate = false } = what;
    const kind = (mode & S_IFMT) === S_IFDIR ? "directory" : "file";
    using _ = await this.#core.names.acquire(request.signal);
    const attributes = await newAttributes(this.#view, request, place.parent, {
      mode,
      mtimeMs: clock.now(),
    });
    const key = keyOf(place, kind);
    const base: Base = { kind: "absent" };
    if (publisher.find(key)?.visible !== undefined || isLocal(place))
      throw new KodomountError("Exists", `${place.name} exists`);
    const ino = this.#core.newIno();
    const save = await publisher.begin({
      key,
      ino,
      attributes,
      origin: { kind: "empty", base },
      madePrivate,
      foresee: (name) => foresee(request.caller.pid, name),
      reply: this.#core.remember(request, { ino }),
    });
    invariant(save !== undefined, "an empty save can always be begun");
    const node = this.#core.tree.add(place.parent, place.name, kind, ino);
    node.save = save;
    node.lookupCount += 1;
    return { stat: toStat(node, attributes, 0) };
  }

  /** The node of what was found, with one more reference of the kernel. */
  async #entry(request: Request, place: Place, found: Found): Promise<Entry> {
    const node = nodeFor(this.#core, place, found);
    node.lookupCount += 1;
    try {
      return { stat: await this.#view.stat(node, request.signal) };
    } catch (error) {
      this.#forget(node);
      throw error;
    }
  }

  /** The kernel does not hear of it after all. */
  #forget(node: Node): void {
    node.lookupCount -= 1;
    this.#core.tree.prune(node);
  }
}
