// What is in the bucket, as files and directories with attributes. It knows nothing of what is pending here: `fs` lays
// that over it.

import { LRUCache } from "lru-cache";
import { type Clock, type Log, required } from "../base/mod.ts";
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
import type { ByteRange, ListedObject, ObjectHead, ObjectStore } from "../store/mod.ts";
import { type ListedFile, type ListingPart, Listings } from "./listings.ts";
import { Metadata } from "./metadata.ts";
import type { DirectReply, Reader, Version } from "./reader.ts";
import { upTo } from "./up-to.ts";

/** One version of an object, as a file. */
export interface RemoteFile {
  readonly kind: "file";
  readonly key: Key;
  readonly etag: Etag;
  readonly size: number;
  readonly attributes: Attributes;
  /** undefined: the usual one, or not known. */
  readonly storageClass?: string | undefined;
}

export interface RemoteDirectory {
  readonly kind: "directory";
  readonly key: Key;
}

export interface LoaderOptions {
  /** With a deadline: programs wait for a listing, not for ever. */
  readonly store: ObjectStore;
  /** Without one: reads wait as long as it takes. */
  readonly reader: Reader;
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
  readonly #metadata: Metadata;
  /** The same of directories' markers, of which a listing tells nothing. */
  readonly #markers = new LRUCache<Key, PartialAttributes>({
    ...upTo(50_000),
    ttl: MARKER_TTL_MS,
  });

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#metadata = new Metadata(options.store, options.log);
    this.#listings = new Listings(options.store, options.log, options.ttlMs);
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
    const head = await this.head(key, signal);
    return head && { etag: head.etag, size: head.size };
  }

  /** All that the store tells of the object at `key` in this moment. */
  head(key: Key, signal: AbortSignal): Promise<ObjectHead | undefined> {
    return this.#options.store.head(key, signal);
  }

  /** Asks the store for an archived object; see `ObjectStore.restore`. */
  restore(key: Key, days: number, signal: AbortSignal): Promise<void> {
    return this.#options.store.restore({ key, days }, signal);
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

  /** What is in a directory, page by page. */
  async list(
    directory: Key,
    signal: AbortSignal,
    onPart: (part: ListingPart) => Promise<void>,
  ): Promise<void> {
    await this.#listings.all(directory, signal, (part) => {
      this.#metadata.walk(directory, keysOf(directory, part.files));
      return onPart(part);
    });
  }

  /**
   * Files of a listing with attributes, as far as they are known without asking for each. In a directory of more than a page
   * what is not known is as the listing has it: its time, and the mount's own mode and owner.
   */
  async known(
    directory: Key,
    files: readonly (readonly [name: string, file: ListedFile])[],
  ): Promise<RemoteFile[]> {
    const keys = files.map(([name]) => childKey(directory, name));
    const records = await this.#options.catalog.findObjects(keys);
    const isLarge = this.#listings.isLarge(directory);
    const found: RemoteFile[] = [];
    files.forEach(([, file], index) => {
      const [key, record] = [required(keys[index], "a key for each file"), records[index]];
      const { etag, size, storageClass } = file;
      const partial = this.#metadata.peek(key, file) ?? (isLarge ? {} : undefined);
      const attributes =
        record?.etag === etag
          ? record.attributes
          : partial && this.#complete(partial, file.lastModifiedMs);
      if (attributes !== undefined)
        found.push({ kind: "file", key, etag, size, attributes, storageClass });
    });
    return found;
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
    return this.#complete(await this.#metadata.get(key, file, signal), file.lastModifiedMs);
  }

  /** @throws `Stale` when the object is another version by now. */
  read(
    version: Version,
    range: ByteRange,
    signal: AbortSignal,
    direct?: DirectReply,
  ): Promise<Uint8Array | "written"> {
    const { key, etag, size } = version;
    return this.#options.reader.read({ version: { key, etag, size }, ...range }, signal, direct);
  }

  /** Nobody has this version open any more: what is fetched of it ahead is given up. */
  stopReading(file: Pick<RemoteFile, "key" | "etag">): void {
    this.#options.reader.forget(file);
  }

  /** What is at `key` by now, through this mount. */
  note(key: Key, now: Omit<ListedFile, "lastModifiedMs"> | "deleted" | "unknown"): void {
    this.#markers.delete(key);
    if (now === "unknown") this.#listings.forget(key);
    else if (now === "deleted") this.#listings.note(key, undefined);
    else
      this.#listings.note(key, {
        etag: now.etag,
        size: now.size,
        storageClass: now.storageClass,
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
    const head = await this.head(key, signal);
    if (head === undefined) return undefined;
    this.#metadata.note(key, head);
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
    const { etag, size, storageClass } = file;
    return {
      kind: "file",
      key,
      etag,
      size,
      storageClass,
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

function* keysOf(
  directory: Key,
  files: ReadonlyMap<string, ListedFile>,
): Generator<readonly [Key, ListedFile]> {
  for (const [name, file] of files) yield [childKey(directory, name), file];
}
