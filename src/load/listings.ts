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
  /** The directory has an object of its own, or something in it. */
  readonly exists: boolean;
  /** Nothing is missing: what it does not show is not there. */
  readonly complete: boolean;
}

/** A repeated token would loop for ever. */
const PAGES_MAX = 100_000;

export class Listings {
  readonly #store: ObjectStore;
  readonly #log: Log;
  readonly #cache: LRUCache<Key, Listing>;
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

  /** Something was changed at `key` by us. */
  forget(key: Key): void {
    this.#changes += 1;
    for (let at: string = key; at !== ""; ) {
      at = at.slice(0, at.lastIndexOf("/", at.length - 2) + 1);
      this.#cache.delete(toKey(at));
    }
    if (key.endsWith("/")) this.#cache.delete(key);
  }

  async #fetch(directory: Key, count: number, signal: AbortSignal): Promise<Listing> {
    const before = this.#changes;
    const listing = {
      files: new Map<string, ListedFile>(),
      directories: new Set<string>(),
      exists: false,
      complete: true,
    };
    for await (const page of this.#pages(directory, { delimiter: true, count }, signal)) {
      this.#add(listing, directory, page);
      listing.complete = page.token === undefined;
    }
    if (before === this.#changes) this.#cache.set(directory, listing);
    return listing;
  }

  #add(
    listing: { files: Map<string, ListedFile>; directories: Set<string>; exists: boolean },
    directory: Key,
    page: ListPage,
  ): void {
    if (page.objects.length + page.prefixes.length > 0) listing.exists = true;
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

function sizeOf(listing: Listing): number {
  return 1 + listing.files.size + listing.directories.size;
}
