// Operations on names. Each change is one synced batch before the reply, made under one lock; the bucket follows.

import { invariant, KodomountError } from "../base/mod.ts";
import {
  type Attributes,
  assertKeyFits,
  type Base,
  type Etag,
  type Key,
  parseName,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../model/mod.ts";
import type { CopyWant, Save } from "../publish/mod.ts";
import type { Core } from "./core.ts";
import type { Files } from "./files.ts";
import { isSymlink } from "./files.ts";
import { keeperOf } from "./keep.ts";
import { moveDirectory } from "./move-directory.ts";
import { fetchBase, keyOf, type Place, pendingOf } from "./place.ts";
import type { Node } from "./tree.ts";
import type { Entry, Opened, OpenFlags, Request } from "./types.ts";
import { type Found, objectOf, toStat, type View } from "./view.ts";

const S_ISGID = 0o2000;
/** How often a name is looked up again because it changed meanwhile. */
const LOOKS_MAX = 10;
/** Longest symlink target, as PATH_MAX. */
const TARGET_SIZE_MAX = 4095;

export class Names {
  readonly #core: Core;
  readonly #view: View;
  readonly #files: Files;

  constructor(core: Core, view: View, files: Files) {
    this.#core = core;
    this.#view = view;
    this.#files = files;
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
    const place = this.#newPlace(parent, nameBytes);
    const { flags } = options;
    const found = await this.#view.find(place.parent, place.name, request.signal);
    if (found !== undefined) {
      if (flags.exclusive && this.#core.answered(request) === undefined)
        throw new KodomountError("Exists", `${place.name} exists`);
      const entry = await this.#entry(request, place, found);
      return { ...entry, opened: await this.#files.open(request, entry.stat.ino, flags) };
    }
    const entry = await this.#newFile(request, place, S_IFREG | (options.mode & 0o7777));
    return {
      ...entry,
      opened: this.#files.register(request, this.#core.node(entry.stat.ino), flags, undefined),
    };
  }

  /** An empty file that is closed at once. */
  async mknod(request: Request, parent: Node, nameBytes: Uint8Array, mode: number): Promise<Entry> {
    const type = mode & S_IFMT;
    if (type !== 0 && type !== S_IFREG)
      throw new KodomountError(
        "NotPermitted",
        "Only regular files can be made here: a bucket has no devices, pipes or sockets",
      );
    return this.#make(request, parent, nameBytes, { mode: S_IFREG | (mode & 0o7777) });
  }

  mkdir(request: Request, parent: Node, nameBytes: Uint8Array, mode: number): Promise<Entry> {
    return this.#make(request, parent, nameBytes, { mode: S_IFDIR | (mode & 0o7777) });
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
    await this.#lookingAgain(place, request, async (found) => {
      if (found.kind === "directory")
        throw new KodomountError("IsDirectory", `${place.name} is a directory`);
      const object = await this.#objectAt(found, request.signal);
      return this.#remove(request, place, { key: found.key, object, pending: pendingOf(found) });
    });
  }

  async rmdir(request: Request, parent: Node, nameBytes: Uint8Array): Promise<void> {
    this.#core.assertWritable();
    if (this.#core.answered(request)) return;
    const place = { parent, name: parseName(nameBytes) };
    await this.#lookingAgain(place, request, async (found) => {
      if (found.kind !== "directory")
        throw new KodomountError("NotDirectory", `${place.name} is not a directory`);
      await this.#assertEmpty(place, found.key, request);
      const pending = this.#core.options.publisher.find(found.key)?.content;
      return this.#remove(request, place, { key: found.key, object: {}, pending });
    });
  }

  /** @returns false when something else is pending there by now. */
  async #remove(
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

  /** What was found may be committed, or replaced, while it is looked at: then once more. */
  async #lookingAgain(
    place: Place,
    request: Request,
    change: (found: Found) => Promise<boolean>,
  ): Promise<void> {
    for (let tries = 0; tries < LOOKS_MAX; tries += 1) {
      const found = await this.#find(place, request);
      if (await change(found)) return;
      this.#core.options.loader.forget(found.key);
    }
    throw new KodomountError("Busy", `${place.name} changes faster than it can be looked at`);
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
    const destination = this.#newPlace(to.parent, to.name);
    let isSame = false;
    await this.#lookingAgain(source, request, async (found) => {
      const { parent, name } = destination;
      const target = await this.#view.find(parent, name, request.signal);
      if (target !== undefined && flags.noReplace)
        throw new KodomountError("Exists", `${name} exists`);
      isSame = target?.key === found.key;
      if (isSame) return true;
      await this.#assertReplaces(found, target, destination, request);
      if (found.kind === "file") return this.#moveFile(request, found, destination, target);
      const to = keyOf(destination, "directory");
      return moveDirectory(this.#core, { request, from: found.key, to });
    });
    if (isSame) return;
    source.parent.pinned = true;
    const node = source.parent.children.get(source.name);
    if (node !== undefined) this.#core.tree.move(node, destination.parent, destination.name);
    else {
      const replaced = destination.parent.children.get(destination.name);
      if (replaced !== undefined) this.#core.tree.detach(replaced);
    }
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
    // What lies underneath is readable under the old name only.
    if (found.current.kind === "save") await fetchBase(found.current.save.content, request.signal);
    const object = await this.#objectAt(found, request.signal);
    const replaced =
      target?.kind === "file" ? await this.#objectAt(target, request.signal) : undefined;
    using _ = await this.#core.names.acquire(request.signal);
    const pending = pendingOf(found);
    const node = destination.parent.children.get(destination.name);
    await using keeper = await keeperOf(this.#core, this.#view, node, request.signal);
    const move = { from: found.key, to, object, target: replaced?.etag, pending, keeper };
    const changes = await publisher.rename(move);
    if (changes === undefined) return false;
    await publisher.journal(changes, [found.key, to], this.#core.remember(request, {}));
    return true;
  }

  /** A thing that is whole at once: a directory, a symlink, an empty file. */
  async #make(
    request: Request,
    parent: Node,
    nameBytes: Uint8Array,
    what: { mode: number; content?: Uint8Array },
  ): Promise<Entry> {
    const before = this.#core.answered(request);
    const place = this.#newPlace(parent, nameBytes);
    const found = await this.#view.find(place.parent, place.name, request.signal);
    if (found !== undefined) {
      if (before !== undefined) return this.#entry(request, place, found);
      throw new KodomountError("Exists", `${place.name} exists`);
    }
    const entry = await this.#newFile(request, place, what.mode);
    const node = this.#core.node(entry.stat.ino);
    const { save } = node;
    invariant(save !== undefined, "what was just made is being saved");
    if (what.content !== undefined) await save.content.write(0, what.content);
    await this.#core.options.publisher.close(save, {
      durable: true,
      reply: this.#core.remember(request, { ino: node.ino }),
    });
    node.save = undefined;
    return { stat: await this.#view.stat(node, request.signal) };
  }

  /** A node and an open save under a name where nothing is. */
  async #newFile(request: Request, place: Place, mode: number): Promise<Entry> {
    const { clock, publisher } = this.#core.options;
    const kind = (mode & S_IFMT) === S_IFDIR ? "directory" : "file";
    using _ = await this.#core.names.acquire(request.signal);
    const attributes = await this.#newAttributes(request, place.parent, mode, clock.now());
    const key = keyOf(place, kind);
    const base: Base = { kind: "absent" };
    if (publisher.find(key)?.visible !== undefined)
      throw new KodomountError("Exists", `${place.name} exists`);
    const ino = this.#core.newIno();
    const save = await publisher.begin({
      key,
      ino,
      attributes,
      origin: { kind: "empty", base },
      reply: this.#core.remember(request, { ino }),
    });
    invariant(save !== undefined, "an empty save can always be begun");
    const node = this.#core.tree.add(place.parent, place.name, kind, ino);
    node.save = save;
    node.lookupCount += 1;
    return { stat: toStat(node, attributes, 0) };
  }

  async #newAttributes(
    request: Request,
    parent: Node,
    mode: number,
    mtimeMs: number,
  ): Promise<Attributes> {
    const { uid, gid } = request.caller;
    const above = await this.#view.stat(parent, request.signal);
    const inherits = (above.mode & S_ISGID) !== 0;
    const isDirectory = (mode & S_IFMT) === S_IFDIR;
    return {
      mode: inherits && isDirectory ? mode | S_ISGID : mode,
      uid,
      gid: inherits ? above.gid : gid,
      mtimeMs,
    };
  }

  /** The node of what was found, with one more reference of the kernel. */
  async #entry(request: Request, place: Place, found: Found): Promise<Entry> {
    const resident = place.parent.children.get(place.name);
    const known =
      found.kind === "file" && found.current.kind === "save"
        ? found.current.save.record.ino
        : undefined;
    const node =
      resident?.kind === found.kind
        ? resident
        : this.#core.tree.add(place.parent, place.name, found.kind, known ?? this.#core.newIno());
    if (found.kind === "file" && found.current.kind === "remote" && node.handles === 0)
      node.remote = found.current.file;
    node.lookupCount += 1;
    try {
      return { stat: await this.#view.stat(node, request.signal) };
    } catch (error) {
      node.lookupCount -= 1;
      this.#core.tree.prune(node);
      throw error;
    }
  }

  async #find(place: Place, request: Request): Promise<Found> {
    const found = await this.#view.find(place.parent, place.name, request.signal);
    if (found === undefined) throw new KodomountError("NotFound", `${place.name} is not there`);
    return found;
  }

  /** The object that the bucket has at a file's key, with the attributes the file has. */
  async #objectAt(
    found: Found,
    signal: AbortSignal,
  ): Promise<{ etag: Etag; size: number; attributes: Attributes } | undefined> {
    if (found.kind === "directory") return undefined;
    const own = objectOf(found.current);
    if (own !== undefined && found.current.kind === "remote")
      return { ...own, attributes: await this.#attributesOf(found, signal) };
    if (found.current.kind === "copy") return undefined;
    const remote = await this.#core.options.loader.file(found.key, signal);
    return remote && { etag: remote.etag, size: remote.size, attributes: remote.attributes };
  }

  async #attributesOf(found: Found & { kind: "file" }, signal: AbortSignal): Promise<Attributes> {
    invariant(found.current.kind === "remote", "only an object's attributes are asked for");
    const { key, etag, size, attributes } = found.current.file;
    return this.#core.options.loader.attributesOf(
      key,
      { etag, size, lastModifiedMs: attributes.ctimeMs ?? attributes.mtimeMs },
      signal,
    );
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
    if (target.kind === "directory") await this.#assertEmpty(destination, target.key, request);
  }

  async #assertEmpty(place: Place, key: Key, request: Request): Promise<void> {
    const resident = place.parent.children.get(place.name);
    const node =
      resident ?? this.#core.tree.add(place.parent, place.name, "directory", this.#core.newIno());
    this.#core.options.loader.forget(key);
    const names = await this.#view.names(node, request.signal);
    if (resident === undefined) this.#core.tree.prune(node);
    if (names.size > 0) throw new KodomountError("NotEmpty", `${place.name} is not empty`);
  }

  #newPlace(parent: Node, nameBytes: Uint8Array): Place {
    this.#core.assertWritable();
    const place = { parent, name: parseName(nameBytes) };
    const { prefix, keySizeMax } = this.#core.options;
    assertKeyFits(prefix, keyOf(place, "directory"), keySizeMax);
    return place;
  }
}
