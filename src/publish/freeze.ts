// While a directory is renamed, nothing in it becomes visible: what was looked at must still be so when it is journalled.

import { Notifier } from "../base/mod.ts";
import type { Key } from "../model/mod.ts";

export class Freeze {
  readonly #directories: Key[] = [];
  readonly #changed = new Notifier();

  /** Holds back everything below `directory` until it is disposed of. What is under way goes on. */
  hold(directory: Key): Disposable {
    this.#directories.push(directory);
    return {
      [Symbol.dispose]: () => {
        this.#directories.splice(this.#directories.indexOf(directory), 1);
        this.#changed.notify();
      },
    };
  }

  /** Resolves when nobody holds back what is at `key`. @throws `Interrupted`. */
  async turn(key: Key, signal: AbortSignal): Promise<void> {
    while (this.#directories.some((directory) => key.startsWith(directory)))
      await this.#changed.wait(signal);
  }
}
