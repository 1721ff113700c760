// Which reply records the catalog has: only the newest are kept, since the kernel asks again only for what it has not
// got an answer to.

import type { JournalStep } from "./journal.ts";

/** Far more than requests that a kernel has under way. */
const REPLIES_MAX = 4096;

export class RecentReplies {
  /** Keys. INVARIANT: oldest first. */
  readonly #keys = new Set<string>();

  /** Notes that `key` is put; returns what must go for it, in the same batch. */
  add(key: string): JournalStep[] {
    this.#keys.delete(key);
    this.#keys.add(key);
    const gone: JournalStep[] = [];
    for (const oldest of this.#keys) {
      if (this.#keys.size <= REPLIES_MAX) break;
      this.#keys.delete(oldest);
      gone.push({ type: "del", key: oldest });
    }
    return gone;
  }
}
