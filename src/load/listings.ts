// What the bucket says is in a directory: pages of a listing with a delimiter, kept for a short time, forgotten at once
// when this mount changes something there.

import { LRUCache } from "lru-cache";
import type { Log } from "../base/mod.ts";
import { type Etag, isName, type Key, nameOf, toKey } from "../model/mod.ts";
import type { ListedObject, ListPage, ObjectStore } from "../store/mod.ts";

/** A file as a listing shows it. */
export interface ListedFile {
  readonly etag: Etag;
  readonly size: number;
  readonly lastModifiedMs: number;
}

export interface Listing {
  readonly files: ReadonlyMap<string, ListedFile>;
  readonly directories: ReadonlySet<string>;
  /** Nothing is missing: what it does not show is not there. */
  readonly complete: boolean;
}

/** The same while it is filled, and put right by what this mount does. */
interface Kept extends Listing {
  readonly files: Map<string, ListedFile>;
  readonly directories: Set<string>;
  complete: boolean;
}

/** A repeated token would loop for ever. */
const PAGES_MAX = 100_000;

export class Listings {
  readonly #store: ObjectStore;
  readonly #log: Log;
  readonly #cache: LRUCache<Key, Kept>;
  /** Grows with every change, so that a listing that was begun before one is not kept. */
  #changes = 0;

  /** @param ttlMs how long a listing may be used again. */
  constructor(store: ObjectStore, log: Log, ttlMs: number) {
    this.#store = store;
    this.#log = log;
    this.#cache = new LRUCache({
      max: 2000,
      maxSize: 500_000,
      ttl: ttlMs,
      sizeCalculation: sizeOf,
    });
  }

  /** The whole directory. */
  async all(directory: Key, signal: AbortSignal): Promise<Listing> {
    const known = this.#cache.get(directory);
    return known?.complete ? known : this.#fetch(directory, PAGES_MAX, signal);
  }

  /** At least its first page: complete in most directories. */
  async first(directory: Key, signal: AbortSignal): Promise<Listing> {
    return this.#cache.get(directory) ?? this.#fetch(directory, 1, signal);
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

  /** Something may have changed at `key` in a way that is not known. */
  forget(key: Key): void {
    this.#changes += 1;
    for (const directory of directoriesOf(key)) this.#cache.delete(directory);
    if (key.endsWith("/")) this.#cache.delete(key);
  }

  /** This mount has made (`file`) or deleted the object at `key`: what is kept of listings is put right. */
  note(key: Key, file: ListedFile | undefined): void {
    if (file === undefined) return this.#noteRemoved(key);
    this.#changes += 1;
    let below: string = key;
    for (const directory of directoriesOf(key)) {
      const listing = this.#cache.peek(directory);
      const name = nameOf(toKey(below));
      if (listing !== undefined) {
        if (below.endsWith("/")) listing.directories.add(name);
        else listing.files.set(name, file);
      }
      below = directory;
    }
  }

  #noteRemoved(key: Key): void {
    const [directory] = directoriesOf(key);
    const listing = directory === undefined ? undefined : this.#cache.peek(directory);
    listing?.files.delete(nameOf(key));
    // A directory that has become empty may be gone from the bucket, and so may those above it.
    const isFile = !key.endsWith("/");
    if (isFile && listing !== undefined && listing.files.size + listing.directories.size > 0)
      this.#changes += 1;
    else this.forget(key);
  }

  async #fetch(directory: Key, count: number, signal: AbortSignal): Promise<Listing> {
    const before = this.#changes;
    const listing: Kept = {
      files: new Map(),
      directories: new Set(),
      complete: true,
    };
    for await (const page of this.#pages(directory, { delimiter: true, count }, signal)) {
      this.#add(listing, directory, page);
      listing.complete = page.token === undefined;
    }
    if (before === this.#changes) this.#cache.set(directory, listing);
    return listing;
  }

  #add(listing: Kept, directory: Key, page: ListPage): void {
    for (const { key, etag, size, lastModifiedMs } of page.objects) {
      if (key === directory) continue;
      const name = nameOf(key);
      if (this.#isShown(key, name)) listing.files.set(name, { etag, size, lastModifiedMs });
    }
    for (const prefix of page.prefixes) {
      const name = nameOf(prefix);
      if (this.#isShown(prefix, name)) listing.directories.add(name);
    }
  }

  /** Keys that cannot be file names (`a//b`, `.`, `..`, too long) are left out, with a log line. */
  #isShown(key: Key, name: string): boolean {
    if (isName(name)) return true;
    this.#log.debug({ key }, "A key that cannot be a file name is not shown");
    return false;
  }

  async *#pages(
    prefix: Key,
    options: { delimiter: boolean; count: number },
    signal: AbortSignal,
  ): AsyncGenerator<ListPage> {
    let token: string | undefined;
    for (let page = 0; page < options.count; page += 1) {
      const answer: ListPage = await this.#store.list(
        { prefix, delimiter: options.delimiter, token },
        signal,
      );
      yield answer;
      if (answer.token === undefined || answer.token === token) return;
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
