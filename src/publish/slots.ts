// The slots of all keys, found by key, by directory and by what they want a copy of.

import { type Key, parentKey } from "../model/mod.ts";
import { Slot } from "./slot.ts";

export class Slots {
  readonly #byKey = new Map<Key, Slot>();
  /** INVARIANT: the same slots, by the directory that holds their key; no empty sets. */
  readonly #byDirectory = new Map<Key, Set<Slot>>();
  readonly #copiers = new Map<Key, Set<Slot>>();

  get(key: Key): Slot | undefined {
    return this.#byKey.get(key);
  }

  /** The slot of that key, made when there is none. */
  of(key: Key): Slot {
    let slot = this.#byKey.get(key);
    if (slot === undefined) {
      slot = new Slot(key, this.#copiers);
      this.#byKey.set(key, slot);
      addTo(this.#byDirectory, parentKey(key), slot);
    }
    return slot;
  }

  /** Takes out a slot with nothing in it. */
  delete(slot: Slot): void {
    if (this.#byKey.get(slot.key) !== slot) return;
    this.#byKey.delete(slot.key);
    removeFrom(this.#byDirectory, parentKey(slot.key), slot);
  }

  values(): Iterable<Slot> {
    return this.#byKey.values();
  }

  /** Slots of keys that start with the directory's key, its own included. */
  *below(directory: Key): Generator<Slot> {
    const own = directory === "" ? undefined : this.#byKey.get(directory);
    if (own !== undefined) yield own;
    for (const [parent, slots] of this.#byDirectory) if (parent.startsWith(directory)) yield* slots;
  }

  /** Somebody who wants a copy of what is at `key`: it must have it before that is replaced or deleted. */
  copierOf(key: Key): Slot | undefined {
    return this.#copiers.get(key)?.values().next().value;
  }

  /** Whether a copy of what is at `from`, wanted at `to`, would have to wait for itself: `from` waits for `to`. */
  isCircular(from: Key, to: Key): boolean {
    for (let want = this.get(from)?.want; want?.kind === "copy"; want = this.get(want.from)?.want)
      if (want.from === to) return true;
    return false;
  }
}

function addTo<T>(sets: Map<Key, Set<T>>, key: Key, value: T): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<T>(sets: Map<Key, Set<T>>, key: Key, value: T): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
