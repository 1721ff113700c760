// Reads the bucket all the while, as another machine would: every version that is ever visible must be a whole one that a
// program has closed, no older one comes back, and nothing is visible before what was closed earlier beside it.

import { buffer } from "node:stream/consumers";
import { Mutex, systemClock } from "../../../src/base/mod.ts";
import type { Emulator } from "../../../src/emulator/mod.ts";
import { sha256 } from "./content.ts";
import type { Model } from "./model.ts";

const PAUSE_MS = 3;
const BUCKET = "bucket";

export interface WatcherOptions {
  readonly emulator: () => Emulator;
  readonly model: Model;
  /** Nothing is ever refused: then what was closed earlier in a directory shows earlier (S2.4). */
  readonly isOrdered: boolean;
}

export class Watcher {
  readonly failures: string[] = [];
  readonly #options: WatcherOptions;
  readonly #digests = new Map<string, string>();
  readonly #places = new Map<string, number>();
  /** One look after the other: what an earlier one has seen must not be judged after a later one. */
  readonly #looking = new Mutex();
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#ended = this.#watch();
  }

  /** Objects by key, as hashes of their content. */
  async look(): Promise<Map<string, string>> {
    using _ = await this.#looking.acquire();
    const { emulator, model, isOrdered } = this.#options;
    const visible = new Map<string, string>();
    const objects = emulator().objects(BUCKET);
    if (isOrdered)
      for (const text of disorder(model.newFiles, new Set(objects.map(({ key }) => key))))
        this.#fail(text);
    for (const { key, etag } of objects) {
      const digest = await this.#digestOf(key, etag);
      if (digest === undefined) continue;
      visible.set(key, digest);
      this.#judge(key, digest);
    }
    return visible;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.look();
      // An end of the pause by `stop` is what is waited for.
      await systemClock.sleep(PAUSE_MS, this.#stop.signal).catch(() => {});
    }
  }

  /** undefined when it is not there any more. */
  async #digestOf(key: string, etag: string): Promise<string | undefined> {
    const known = this.#digests.get(`${key} ${etag}`);
    if (known !== undefined) return known;
    try {
      const digest = sha256(await buffer(this.#options.emulator().read(BUCKET, key)));
      const now = this.#options
        .emulator()
        .objects(BUCKET)
        .find((each) => each.key === key)?.etag;
      if (now === etag) this.#digests.set(`${key} ${etag}`, digest);
      return now === etag ? digest : undefined;
    } catch {
      return undefined; // replaced or deleted while it was read
    }
  }

  #judge(key: string, digest: string): void {
    if (key.endsWith("/")) return;
    const { model } = this.#options;
    if (model.isForeign(digest)) return;
    const places = model.placesOf(key, digest);
    if (places === undefined)
      return this.#fail(`${key}: what is visible is nothing that was closed`);
    const before = this.#places.get(key) ?? 0;
    const place = places.find((each) => each >= before);
    if (place !== undefined) this.#places.set(key, place);
    else if (model.isAlone) this.#fail(`${key}: version ${places.at(-1)} came after ${before}`);
  }

  #fail(text: string): void {
    if (!this.failures.includes(text)) this.failures.push(text);
  }
}

/** What shows before what was closed earlier in its directory. `paths`: in the order of their closes. */
function disorder(paths: readonly string[], visible: ReadonlySet<string>): string[] {
  const missing = new Map<string, string>();
  const failures: string[] = [];
  for (const path of paths) {
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    const before = missing.get(directory);
    if (!visible.has(path)) missing.set(directory, before ?? path);
    else if (before !== undefined) failures.push(`${path} is visible before ${before}`);
  }
  return failures;
}
