// What is in the bucket, as files and directories with attributes. It knows nothing of what is pending here: `fs` lays
// that over it.

import { LRUCache } from "lru-cache";
import type { Clock, Log } from "../base/mod.ts";
import type { Catalog } from "../catalog/mod.ts";
import {
  type Attributes,
  childDirectoryKey,
  childKey,
  type Etag,
  fromMetadata,
  type Key,
  modeFor,
  nameOf,
  type PartialAttributes,
  parentKey,
  ROOT_KEY,
} from "../model/mod.ts";
import type { ListedObject, ObjectStore } from "../store/mod.ts";
import { Blocks } from "./blocks.ts";
import { type ListedFile, type Listing, Listings } from "./listings.ts";

/** One version of an object, as a file. */
export interface RemoteFile {
  readonly kind: "file";
  readonly key: Key;
  readonly etag: Etag;
  readonly size: number;
  readonly attributes: Attributes;
}

export interface RemoteDirectory {
  readonly kind: "directory";
  readonly key: Key;
}

export interface LoaderOptions {
  /** With a deadline: programs wait for a listing, not for ever. */
  readonly store: ObjectStore;
  /** Without one: reads wait as long as it takes. */
  readonly reads: ObjectStore;
  readonly catalog: Catalog;
  readonly log: Log;
  readonly clock: Clock;
  readonly ttlMs: number;
  /** Owner and permissions of what says nothing about its own. */
  readonly defaults: {
    uid: number;
    gid: number;
    fileMode: number;
    directoryMode: number;
    mtimeMs: number;
  };
}

/** Each directory that is looked at costs a request, so not often. */
const MARKER_TTL_MS = 5 * 60_000;

export class Loader {
  readonly #options: LoaderOptions;
  readonly #listings: Listings;
  readonly #blocks: Blocks;
  /** What HEAD told of a version; it changes only when the object is copied onto itself, which changes its time. */
  readonly #metadata = new LRUCache<string, PartialAttributes>({ max: 50_000 });
  /** The same of directories' markers, of which a listing tells nothing. */
  readonly #markers = new LRUCache<Key, PartialAttributes>({ max: 50_000, ttl: MARKER_TTL_MS });

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#listings = new Listings(options.store, options.log, options.ttlMs);
    this.#blocks = new Blocks(options.reads);
  }

  /** The file or directory called `name`; where a key is both, the directory wins, since it has more behind it. */
  async find(
    directory: Key,
    name: string,
    signal: AbortSignal,
  ): Promise<RemoteFile | RemoteDirectory | undefined> {
    const listing = await this.#listings.first(directory, signal);
    const key = childKey(directory, name);
    if (listing.directories.has(name)) return directoryAt(directory, name);
    const file = listing.files.get(name);
    if (listing.complete) return file && this.#file(key, file, signal);
    // A directory of many pages: ask for the one name.
    const below = await this.#options.store.list(
      { prefix: childDirectoryKey(directory, name), delimiter: false, limit: 1 },
      signal,
    );
    if (below.objects.length > 0) return directoryAt(directory, name);
    return file === undefined ? this.#head(key, signal) : this.#file(key, file, signal);
  }

  /** The file at `key`, as it is now or was within the listing's time to live. */
  async file(key: Key, signal: AbortSignal): Promise<RemoteFile | undefined> {
    const found = await this.find(parentKey(key), nameOf(key), signal);
    return found?.kind === "file" ? found : undefined;
  }

  /** The object at `key`, a directory's marker too, as the store has it in this moment. */
  async object(key: Key, signal: AbortSignal): Promise<{ etag: Etag; size: number } | undefined> {
    const head = await this.#options.store.head(key, signal);
    return head && { etag: head.etag, size: head.size };
  }

  /** A directory's attributes: as this machine knows them, of its marker in the bucket, or the mount's defaults. */
  async directoryAttributes(key: Key, signal: AbortSignal): Promise<Attributes> {
    const known = await this.#options.catalog.findObject(key);
    if (known !== undefined) return known.attributes;
    const { directoryMode, mtimeMs } = this.#options.defaults;
    const marker = key === ROOT_KEY ? {} : await this.#marker(key, signal);
    const mode = modeFor("directory", marker.mode ?? directoryMode);
    return { ...this.#complete(marker, mtimeMs), mode };
  }

  /** Names in a directory. */
  list(directory: Key, signal: AbortSignal): Promise<Listing> {
    return this.#listings.all(directory, signal);
  }

  isEmpty(directory: Key, signal: AbortSignal): Promise<boolean> {
    return this.#listings.isEmpty(directory, signal);
  }

  below(prefix: Key, signal: AbortSignal): AsyncGenerator<ListedObject> {
    return this.#listings.below(prefix, signal);
  }

  /** Attributes of a listed object. */
  async attributesOf(key: Key, file: ListedFile, signal: AbortSignal): Promise<Attributes> {
    const known = await this.#options.catalog.findObject(key);
    if (known !== undefined && known.etag === file.etag) return known.attributes;
    const name = versionOf(key, file);
    let partial = this.#metadata.get(name);
    if (partial === undefined) {
      const head = await this.#options.store.head(key, signal);
      partial = head?.etag === file.etag ? fromMetadata(head.metadata) : {};
      if (head?.etag === file.etag) this.#metadata.set(name, partial);
    }
    return this.#complete(partial, file.lastModifiedMs);
  }

  /** @throws `Stale` when the object is another version by now. */
  read(file: RemoteFile, offset: number, length: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#blocks.read(file, offset, length, signal);
  }

  /** What is at `key` by now, through this mount. */
  note(key: Key, now: { etag: Etag; size: number } | "deleted" | "unknown"): void {
    this.#markers.delete(key);
    if (now === "unknown") this.#listings.forget(key);
    else if (now === "deleted") this.#listings.note(key, undefined);
    else
      this.#listings.note(key, {
        etag: now.etag,
        size: now.size,
        lastModifiedMs: this.#options.clock.now(),
      });
  }

  /** A directory was just made by this mount where nothing was. */
  noteNew(directory: Key): void {
    this.#listings.noteNew(directory);
  }

  /** What is kept of the directory is not to be used again. */
  forget(key: Key): void {
    this.#listings.forget(key);
  }

  /** Ends what runs though nobody waits for it. */
  stop(): Promise<void> {
    return this.#listings.stop();
  }

  async #head(key: Key, signal: AbortSignal): Promise<RemoteFile | undefined> {
    const head = await this.#options.store.head(key, signal);
    if (head === undefined) return undefined;
    this.#metadata.set(versionOf(key, head), fromMetadata(head.metadata));
    return this.#file(key, head, signal);
  }

  async #marker(key: Key, signal: AbortSignal): Promise<PartialAttributes> {
    const known = this.#markers.get(key);
    if (known !== undefined) return known;
    const head = await this.#options.store.head(key, signal);
    const marker = head === undefined ? {} : fromMetadata(head.metadata);
    this.#markers.set(key, marker);
    return marker;
  }

  async #file(key: Key, file: ListedFile, signal: AbortSignal): Promise<RemoteFile> {
    const { etag, size } = file;
    return {
      kind: "file",
      key,
      etag,
      size,
      attributes: await this.attributesOf(key, file, signal),
    };
  }

  #complete(partial: PartialAttributes, lastModifiedMs: number): Attributes {
    const { uid, gid, fileMode } = this.#options.defaults;
    return {
      mode: modeFor("file", partial.mode ?? fileMode),
      uid: partial.uid ?? uid,
      gid: partial.gid ?? gid,
      mtimeMs: partial.mtimeMs ?? lastModifiedMs,
      ctimeMs: lastModifiedMs,
      ...(partial.xattrs === undefined ? {} : { xattrs: partial.xattrs }),
    };
  }
}

function directoryAt(directory: Key, name: string): RemoteDirectory {
  return { kind: "directory", key: childDirectoryKey(directory, name) };
}

function versionOf(key: Key, file: ListedFile): string {
  return `${key}\0${file.etag}\0${file.lastModifiedMs}`;
}
