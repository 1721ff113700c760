// Who goes first. What makes something visible in a directory happens in the order of the closes, so that an index file
// never appears before its data; and a close returns only while nothing that was closed earlier is overdue (the lag).

import { type Clock, KodomountError, Notifier } from "../base/mod.ts";
import { isDirectoryKey, type Key, parentKey } from "../model/mod.ts";

export class Order {
  readonly #clock: Clock;
  readonly #lagMs: number;
  readonly #changed = new Notifier();
  /** When each thing that is not visible yet was closed. INVARIANT: in ascending order of its number. */
  readonly #pending = new Map<number, number>();
  /** The same, by directory, the first in turn first; with who waits for a turn there. */
  readonly #byDirectory = new Map<Key, Map<number, Set<() => void>>>();
  #next = 1;

  constructor(clock: Clock, lagMs: number) {
    this.#clock = clock;
    this.#lagMs = lagMs;
  }

  /** Takes the next place. `closedAt`: when it was asked for, milliseconds since the epoch. */
  take(directory: Key, closedAt: number): number {
    const order = this.#next;
    this.restore(order, directory, closedAt);
    return order;
  }

  /** The place that was taken last. */
  get last(): number {
    return this.#next - 1;
  }

  /** Takes a place again after a restart; call in ascending order, before any `take`. */
  restore(order: number, directory: Key, closedAt: number): void {
    this.#next = Math.max(this.#next, order + 1);
    this.#pending.set(order, closedAt);
    const places = this.#byDirectory.get(directory) ?? new Map();
    this.#byDirectory.set(directory, places.set(order, new Set()));
  }

  /** It is visible, superseded or parked: nobody waits for it any more. */
  leave(order: number, directory: Key): void {
    this.#pending.delete(order);
    const places = this.#byDirectory.get(directory);
    const waiting = places?.get(order);
    places?.delete(order);
    // Who waited for this very place finds that it has gone.
    wakeAll(waiting);
    if (places?.size === 0) this.#byDirectory.delete(directory);
    // Only the next in turn can go on: thousands may wait in one directory.
    wakeAll(places?.values().next().value);
    this.#changed.notify();
  }

  /** When what has that place was closed; undefined: it has left. */
  closedAt(order: number): number | undefined {
    return this.#pending.get(order);
  }

  /** Whether nothing that was closed earlier in `directory` is still to become visible. */
  isTurn(order: number, directory: Key): boolean {
    const places = this.#byDirectory.get(directory);
    return !places?.has(order) || places.keys().next().value === order;
  }

  /** Resolves when nothing that was closed earlier in `directory` is still to become visible. */
  turn(order: number, directory: Key, signal: AbortSignal): Promise<void> {
    const places = this.#byDirectory.get(directory);
    const waiting = places?.get(order);
    if (waiting === undefined || places?.keys().next().value === order) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const interrupted = (): void => {
        waiting.delete(go);
        reject(new KodomountError("Interrupted", "The wait for a turn was interrupted"));
      };
      const go = (): void => {
        signal.removeEventListener("abort", interrupted);
        resolve();
      };
      if (signal.aborted) return interrupted();
      signal.addEventListener("abort", interrupted, { once: true });
      waiting.add(go);
    });
  }

  /** Resolves when nothing that was closed before `order` is unpublished for longer than the lag. */
  async withinLag(order: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const oldest = this.#pending.entries().next().value;
      if (oldest === undefined || oldest[0] >= order) return;
      if (oldest[1] + this.#lagMs > this.#clock.now()) return;
      await this.#changed.wait(signal);
    }
  }
}

/**
 * The directory in whose order something has its place. The marker of a directory goes before what is in it, and has no
 * place among the files beside it: a file in it makes it visible anyhow, at any moment.
 */
export function directoryOf(key: Key): Key {
  return isDirectoryKey(key) ? key : parentKey(key);
}

function wakeAll(waiting: Set<() => void> | undefined): void {
  for (const go of waiting ?? []) go();
}
