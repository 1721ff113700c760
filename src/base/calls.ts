// Requests to another thread that are not answered yet, each by a number of its own.

interface Open<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export class Calls<T> {
  readonly #open = new Map<number, Open<T>>();
  #nextId = 1;
  /** Told when none is open any more. */
  #idle: (() => void) | undefined;

  /**
   * One more request: `ask` sends it under its number, `abort` gives it up when `signal` aborts. It is open until it is
   * answered all the same: the other side has it.
   */
  begin(
    signal: AbortSignal | undefined,
    send: { readonly ask: (id: number) => void; readonly abort: (id: number) => void },
  ): Promise<T> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => send.abort(id);
      const end = (): void => {
        this.#open.delete(id);
        if (this.#open.size === 0) this.#idle?.();
        signal?.removeEventListener("abort", onAbort);
      };
      this.#open.set(id, {
        resolve: (value) => {
          end();
          resolve(value);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      send.ask(id);
    });
  }

  /** The numbers of those that are open. */
  get ids(): number[] {
    return [...this.#open.keys()];
  }

  /** Resolves when none is open any more. */
  idle(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** The answer; to what is not open nothing happens. */
  resolve(id: number, value: T): void {
    this.#open.get(id)?.resolve(value);
  }

  reject(id: number, error: Error): void {
    this.#open.get(id)?.reject(error);
  }

  failAll(error: Error): void {
    for (const { reject } of [...this.#open.values()]) reject(error);
  }
}
