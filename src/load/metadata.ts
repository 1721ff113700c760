// What HEAD tells of versions of objects: mode, owner, times, xattrs, which no listing shows.

import { LRUCache } from "lru-cache";
import { codeOf, describe, type Log, newAbort, unlessAborted } from "../base/mod.ts";
import { fromMetadata, type Key, type PartialAttributes, parentKey } from "../model/mod.ts";
import type { ObjectHead, ObjectStore } from "../store/mod.ts";
import type { ListedFile } from "./listings.ts";
import { upTo } from "./up-to.ts";

/** HEADs under way ahead of who walks through a directory. */
const AHEAD = 32;
/** So long after it was listed, who asks for a file is taken for somebody who asks for all of them. */
const WALK_MS = 10_000;
/** What may not be looked at is asked for again after this long: somebody may have mended the rights. */
const REFUSED_MS = 60_000;

export class Metadata {
  readonly #store: Pick<ObjectStore, "head">;
  /** A version's changes only when the object is copied onto itself, which changes its time. */
  readonly #known = new LRUCache<string, PartialAttributes>(upTo(50_000));
  readonly #asking = new Map<string, Promise<PartialAttributes>>();
  /** What comes next in directories that were listed just now. */
  readonly #walks = new LRUCache<Key, Iterator<readonly [Key, ListedFile]>>({
    max: 100,
    ttl: WALK_MS,
  });
  readonly #stop = newAbort();
  readonly #log: Log;
  /** Directories of which a line in the log has told that objects in them may not be looked at. */
  readonly #refused = new LRUCache<Key, true>({ max: 1000, ttl: REFUSED_MS });

  /** @param store with a deadline. */
  constructor(store: Pick<ObjectStore, "head">, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** What is known of the version without asking. */
  peek(key: Key, file: ListedFile): PartialAttributes | undefined {
    return this.#known.get(versionOf(key, file));
  }

  note(key: Key, head: ObjectHead): PartialAttributes {
    const partial = fromMetadata(head.metadata);
    this.#known.set(versionOf(key, head), partial);
    return partial;
  }

  /** What the version has as metadata; nothing when the object is another one by now. */
  async get(key: Key, file: ListedFile, signal: AbortSignal): Promise<PartialAttributes> {
    const known = this.peek(key, file);
    if (known !== undefined) return known;
    const asked = this.#ask(key, file);
    this.#walkOn(parentKey(key));
    return unlessAborted(asked, signal);
  }

  /** The directory was listed just now: whoever asks for one of its files next is likely to ask for the others, in this order. */
  walk(directory: Key, files: Iterable<readonly [Key, ListedFile]>): void {
    this.#walks.set(directory, files[Symbol.iterator]());
  }

  stop(): void {
    this.#stop.abort();
  }

  #walkOn(directory: Key): void {
    const walk = this.#walks.get(directory);
    while (walk !== undefined && this.#asking.size < AHEAD) {
      const next = walk.next();
      if (next.done === true) {
        this.#walks.delete(directory);
        return;
      }
      const [key, file] = next.value;
      // Who needs it asks again, and is told what went wrong.
      if (this.peek(key, file) === undefined) this.#ask(key, file).catch(() => {});
    }
  }

  #ask(key: Key, file: ListedFile): Promise<PartialAttributes> {
    const name = versionOf(key, file);
    let asking = this.#asking.get(name);
    if (asking === undefined) {
      asking = this.#head(key, file).finally(() => this.#asking.delete(name));
      this.#asking.set(name, asking);
    }
    return asking;
  }

  async #head(key: Key, file: ListedFile): Promise<PartialAttributes> {
    try {
      const head = await this.#store.head(key, this.#stop.signal);
      return head?.etag === file.etag ? this.note(key, { ...head, ...file }) : {};
    } catch (error) {
      if (codeOf(error) !== "AccessDenied") throw error;
      return this.#unseen(key, file, error);
    }
  }

  /** It is there, since it is listed, and can be renamed away or removed as far as rights go: so it is shown. */
  #unseen(key: Key, file: ListedFile, error: unknown): PartialAttributes {
    const directory = parentKey(key);
    if (!this.#refused.has(directory))
      this.#log.warn(
        { key, err: error },
        `The keys may not look at ${key}: it is shown without its mode, owner and times until the bucket's policy allows GetObject (${describe(error)})`,
      );
    this.#refused.set(directory, true);
    this.#known.set(versionOf(key, file), {}, { ttl: REFUSED_MS });
    return {};
  }
}

function versionOf(key: Key, file: Pick<ListedFile, "etag" | "lastModifiedMs">): string {
  return `${key}\0${file.etag}\0${file.lastModifiedMs}`;
}
