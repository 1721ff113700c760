// One at a time, in order of asking. The permit is a disposable, so release cannot be forgotten.

export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /** Resolves when everybody who asked earlier has released: `using _ = await mutex.acquire()`. */
  async acquire(): Promise<Disposable> {
    const before = this.#tail;
    let release: () => void = () => {};
    this.#tail = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    return { [Symbol.dispose]: release };
  }
}
