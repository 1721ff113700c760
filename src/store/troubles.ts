// What does not work at the moment and is tried again: for status, since requests that are repeated without end tell
// nobody.

import type { Clock } from "../base/mod.ts";
import type { Key } from "../model/mod.ts";

export interface Trouble {
  /** When nothing of the key has worked any more, milliseconds since the epoch. */
  readonly since: number;
  /** The last failure, in words. */
  readonly error: string;
}

/** INVARIANT: has only keys of requests that are under way. */
export class Troubles {
  readonly #clock: Pick<Clock, "now">;
  readonly #byKey = new Map<Key, Trouble>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** An attempt has failed and will be made again. */
  note(key: Key, error: string): void {
    this.#byKey.set(key, { since: this.#byKey.get(key)?.since ?? this.#clock.now(), error });
  }

  /** A request has ended, well or for good. */
  end(key: Key): void {
    this.#byKey.delete(key);
  }

  of(key: Key): Trouble | undefined {
    return this.#byKey.get(key);
  }

  /** What has not worked for the longest time. */
  get longest(): Trouble | undefined {
    let longest: Trouble | undefined;
    for (const trouble of this.#byKey.values())
      if (longest === undefined || trouble.since < longest.since) longest = trouble;
    return longest;
  }
}
