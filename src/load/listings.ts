// What the bucket says is in a directory: pages of a listing with a delimiter, kept for a short time, forgotten at once
// when this mount changes something there.

import { LRUCache } from "lru-cache";
import { Background, KodomountError, type Log, newAbort } from "../base/mod.ts";
import { type Etag, isName, type Key, nameOf, toKey } from "../model/mod.ts";
import type { ListedObject, ListPage, ObjectStore } from "../store/mod.ts";

/** A file as a listing shows it. */
export interface ListedFile {
  readonly etag: Etag;
  readonly size: number;
  readonly lastModifiedMs: number;
  /** undefined: the usual one, or not known. */
  readonly storageClass?: string | undefined;
}

export interface Listing {
  readonly files: ReadonlyMap<string, ListedFile>;
  readonly directories: ReadonlySet<string>;
  /** Nothing is missing: what it does not show is not there. */
  readonly complete: boolean;
}

/** What one page of a listing adds. */
export interface ListingPart {
  readonly files: ReadonlyMap<string, ListedFile>;
  readonly directories: ReadonlySet<string>;
}

/** The same while it is filled, and put right by what this mount does. */
interface Kept extends Listing {
  readonly files: Map<string, ListedFile>;
  readonly directories: Set<string>;
  complete: boolean;
}

/** A listing that is being fetched, and what this mount has done in its directory since it was begun. */
interface Flight {
  readonly directory: Key;
  readonly changes: ((listing: Kept) => void)[];
  /** Something has changed in a way that is not known: it is not kept. */
  isStale: boolean;
}

/** What nobody waits for is fetched up to this size: larger directories are asked for name by name. */
const AHEAD_PAGES_MAX = 20;
const AHEAD_FILES_MAX = (AHEAD_PAGES_MAX - 1) * 1000;
/** A directory has no more pages than that. */
const PAGES_MAX = 1_000_000;
/** Entries of all listings that are kept: some 60 MiB. A directory that has more is not kept. */
const ENTRIES_MAX = 250_000;

export class Listings {
  readonly #store: ObjectStore;
  readonly #log: Log;
  readonly #ttlMs: number;
  readonly #background: Background;
  readonly #cache: LRUCache<Key, Kept>;
  readonly #flights = new Set<Flight>();
  readonly #stop = newAbort();
  readonly #large = new LRUCache<Key, true>({ max: 10_000 });
  /** Directories of which a line in the log has told that not all of them is shown. */
  readonly #hidden = new LRUCache<Key, true>({ max: 1000 });

  /** @param ttlMs how old a listing may be before it is fetched again; it is used for as long again meanwhile. */
  constructor(store: ObjectStore, log: Log, ttlMs: number) {
    this.#store = store;
    this.#log = log;
    this.#ttlMs = ttlMs;
    this.#background = new Background(log);
    this.#cache = new LRUCache({
      max: 2000,
      maxSize: ENTRIES_MAX,
      // To the library 0 means for ever.
      ttl: Math.max(1, 2 * ttlMs),
      sizeCalculation: sizeOf,
    });
  }

  /** The whole directory; `onPart` is told of it page by page, while the next is fetched or when it is known already. */
  async all(
    directory: Key,
    signal: AbortSignal,
    onPart: (part: ListingPart) => Promise<void>,
  ): Promise<void> {
    const known = this.#cache.get(directory);
    if (known?.complete && !this.#isOld(directory)) return onPart(known);
    await this.#fetch(directory, PAGES_MAX, signal, onPart);
  }

  /** At least its first page: complete in most directories. Nobody waits for one that is known but no longer new. */
  async first(directory: Key, signal: AbortSignal): Promise<Listing> {
    const known = this.#cache.get(directory);
    if (known === undefined) return this.#fetch(directory, 1, signal);
    const isSmall = known.files.size < AHEAD_FILES_MAX;
    if (isSmall && (!known.complete || this.#isOld(directory))) this.#fetchAhead(directory);
    return known;
  }

  #isOld(directory: Key): boolean {
    return this.#cache.getRemainingTTL(directory) < this.#ttlMs;
  }

  /** Whether the last listing had more than one page. */
  isLarge(directory: Key): boolean {
    return this.#large.has(directory);
  }

  /** Whether the bucket has anything but a marker in `directory`; always asked anew. */
  async isEmpty(directory: Key, signal: AbortSignal): Promise<boolean> {
    const page = await this.#store.list({ prefix: directory, delimiter: false, limit: 2 }, signal);
    return page.objects.every(({ key }) => key === directory);
  }

  /** Every key that starts with `prefix`. */
  async *below(prefix: Key, signal: AbortSignal): AsyncGenerator<ListedObject> {
    for await (const page of this.#pages(prefix, { delimiter: false, count: PAGES_MAX }, signal))
      yield* page.objects;
  }

  #fetchAhead(directory: Key): void {
    if ([...this.#flights].some((flight) => flight.directory === directory)) return;
    this.#background.run(`listing ${directory}`, async () => {
      try {
        await this.#fetch(directory, AHEAD_PAGES_MAX, this.#stop.signal);
      } catch (error) {
        // Who asks when it has become too old asks the store, and is told.
        this.#log.debug({ err: error, directory }, "A listing could not be fetched ahead");
      }
    });
  }

  /** Nothing is fetched ahead any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#background.settled();
  }

  /** Something may have changed at `key` in a way that is not known. */
  forget(key: Key): void {
    const directories = directoriesOf(key);
    if (key.endsWith("/")) directories.push(key);
    for (const directory of directories) this.#cache.delete(directory);
    for (const flight of this.#flights)
      if (directories.includes(flight.directory)) flight.isStale = true;
  }

  /** This mount has made (`file`) or deleted the object at `key`: what is kept of listings is put right. */
  note(key: Key, file: ListedFile | undefined): void {
    if (file === undefined) return this.#noteRemoved(key);
    let below: string = key;
    for (const directory of directoriesOf(key)) {
      const name = nameOf(toKey(below));
      const isDirectory = below.endsWith("/");
      this.#change(directory, (listing) => {
        if (isDirectory) listing.directories.add(name);
        else listing.files.set(name, file);
      });
      below = directory;
    }
  }

  /** This mount has just made the directory where nothing was: there is nothing in it to ask for. */
  noteNew(directory: Key): void {
    this.#cache.set(directory, { files: new Map(), directories: new Set(), complete: true });
  }

  #noteRemoved(key: Key): void {
    const [directory] = directoriesOf(key);
    const listing = directory === undefined ? undefined : this.#cache.peek(directory);
    const name = nameOf(key);
    const before = listing?.files.delete(name);
    // A directory that has become empty may be gone from the bucket, and so may those above it.
    if (directory === undefined || listing === undefined || key.endsWith("/") || !before)
      return this.forget(key);
    if (listing.files.size + listing.directories.size === 0) return this.forget(key);
    this.#change(directory, (other) => other.files.delete(name));
  }

  #change(directory: Key, change: (listing: Kept) => void): void {
    const listing = this.#cache.peek(directory);
    if (listing !== undefined) change(listing);
    for (const flight of this.#flights)
      if (flight.directory === directory) flight.changes.push(change);
  }

  async #fetch(
    directory: Key,
    count: number,
    signal: AbortSignal,
    onPart: (part: ListingPart) => Promise<void> = async () => {},
  ): Promise<Listing> {
    const flight: Flight = { directory, changes: [], isStale: false };
    const listing: Kept = { files: new Map(), directories: new Set(), complete: true };
    this.#flights.add(flight);
    try {
      for await (const page of this.#pages(directory, { delimiter: true, count }, signal)) {
        const part = this.#partOf(directory, page);
        for (const [name, file] of part.files) listing.files.set(name, file);
        for (const name of part.directories) listing.directories.add(name);
        listing.complete = page.token === undefined;
        if (!listing.complete) this.#large.set(directory, true);
        else if (listing.files.size === part.files.size) this.#large.delete(directory);
        await onPart(part);
      }
      for (const change of flight.changes) change(listing);
      if (!flight.isStale) this.#cache.set(directory, listing);
      return listing;
    } finally {
      this.#flights.delete(flight);
    }
  }

  #partOf(directory: Key, page: ListPage): ListingPart {
    const listing = { files: new Map<string, ListedFile>(), directories: new Set<string>() };
    let hidden: Key | undefined;
    for (const { key, etag, size, lastModifiedMs, storageClass } of page.objects) {
      if (key === directory) continue;
      const name = nameOf(key);
      if (isName(name)) listing.files.set(name, { etag, size, lastModifiedMs, storageClass });
      else hidden = key;
    }
    for (const prefix of page.prefixes) {
      const name = nameOf(prefix);
      if (isName(name)) listing.directories.add(name);
      else hidden = prefix;
    }
    if (hidden !== undefined) this.#noteHidden(directory, hidden);
    return listing;
  }

  /** Keys that cannot be file names (`a//b`, `.`, `..`, too long) are left out, with one line for a directory. */
  #noteHidden(directory: Key, key: Key): void {
    if (this.#hidden.has(directory)) return;
    this.#hidden.set(directory, true);
    this.#log.warn({ directory, key }, "Keys that cannot be file names are not shown");
  }

  async *#pages(
    prefix: Key,
    options: { delimiter: boolean; count: number },
    signal: AbortSignal,
  ): AsyncGenerator<ListPage> {
    let token: string | undefined;
    const tokens = new Set<string>();
    for (let page = 0; page < options.count; page += 1) {
      const answer: ListPage = await this.#store.list(
        { prefix, delimiter: options.delimiter, token },
        signal,
      );
      yield answer;
      if (answer.token === undefined) return;
      if (tokens.has(answer.token))
        throw new KodomountError(
          "Rejected",
          `The store lists ${prefix} in a circle: it gives a token for the next page that it has given before`,
        );
      tokens.add(answer.token);
      token = answer.token;
    }
  }
}

/** The directories that hold `key`, the nearest first, the root last. */
function directoriesOf(key: Key): Key[] {
  const directories: Key[] = [];
  for (let at: string = key; at !== ""; ) {
    at = at.slice(0, at.lastIndexOf("/", at.length - 2) + 1);
    directories.push(toKey(at));
  }
  return directories;
}

function sizeOf(listing: Kept): number {
  return 1 + listing.files.size + listing.directories.size;
}
