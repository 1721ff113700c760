// The spill of small files that were committed a moment ago after a modification, for the next one: a file that is appended
// to once a second would otherwise be fetched from the bucket each time.

import type { Background, Clock } from "../base/mod.ts";
import type { Etag, Key } from "../model/mod.ts";
import type { Content } from "./content.ts";

const BYTES_MAX = 64 * 1024 * 1024;
/** Small beside the spill: it is never what fills it. */
const SHARE_OF_SPILL = 1 / 16;

export interface KeepOptions {
  readonly clock: Clock;
  readonly background: Background;
  /** How long something is kept, milliseconds. */
  readonly keepMs: number;
  /** Bytes that the spill may hold. */
  readonly spillLimit: number;
}

interface Kept {
  readonly etag: Etag;
  readonly content: Content;
  readonly cancel: () => void;
}

export class Keep {
  readonly #options: KeepOptions;
  readonly #kept = new Map<Key, Kept>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(options: KeepOptions) {
    this.#options = options;
    this.#bytesMax = Math.min(BYTES_MAX, options.spillLimit * SHARE_OF_SPILL);
  }

  /** The object at `key` is what `content` has. From here on it is freed by us. */
  add(key: Key, etag: Etag, content: Content): void {
    this.drop(key);
    const { clock, keepMs } = this.#options;
    const cancel = clock.after(keepMs, () => this.drop(key));
    this.#kept.set(key, { etag, content, cancel });
    this.#bytes += content.size;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.drop(oldest);
    }
  }

  /** The content of that version, if it is still here. It may be freed at any moment. */
  find(key: Key, etag: Etag): Content | undefined {
    const kept = this.#kept.get(key);
    return kept?.etag === etag ? kept.content : undefined;
  }

  drop(key: Key): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= kept.content.size;
    kept.cancel();
    this.#options.background.run(`freeing what was kept of ${key}`, () => kept.content.free());
  }

  /** The mount stops. */
  dropAll(): void {
    for (const key of [...this.#kept.keys()]) this.drop(key);
  }
}
