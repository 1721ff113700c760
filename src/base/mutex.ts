// One at a time, in order of asking. The permit is a disposable, so release cannot be forgotten.

import { Semaphore } from "./semaphore.ts";

export class Mutex {
  readonly #one = new Semaphore(1);

  /**
   * `using _ = await mutex.acquire(signal)`: resolves when everybody who asked earlier has released.
   * @throws `Interrupted` when `signal` aborts first; the place in the queue is given up then.
   */
  acquire(signal?: AbortSignal): Promise<Disposable> {
    return this.#one.acquire(0, signal);
  }
}
