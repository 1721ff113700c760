// How many parts are on their way at the same time: a fixed number, or what the rule of `connections.ts` finds to pay.

import { type Clock, type Log, Semaphore } from "../base/mod.ts";
import { CONNECTIONS_MAX, FIRST_RULE, observe, type Rule } from "./connections.ts";
import type { Carried } from "./messages.ts";

export class Lanes {
  readonly #clock: Clock;
  readonly #log: Log;
  /** undefined: the number is fixed. */
  #rule: Rule | undefined;
  readonly #semaphore: Semaphore;
  #parts = 0;

  /** At most so many at once, ever. */
  readonly max: number;

  constructor(fixed: number | undefined, deps: { clock: Clock; log: Log }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#rule = fixed === undefined ? FIRST_RULE : undefined;
    this.#semaphore = new Semaphore(fixed ?? FIRST_RULE.connections);
    this.max = fixed ?? CONNECTIONS_MAX;
  }

  /** As `Semaphore.acquire`. */
  acquire(priority: number, signal: AbortSignal | undefined): Promise<Disposable> {
    return this.#semaphore.acquire(priority, signal);
  }

  /** A part was acknowledged. */
  acknowledged(): void {
    this.#parts += 1;
  }

  /** What the worker's connections have carried so far. */
  carried(carried: Carried): void {
    if (this.#rule === undefined) return;
    const before = this.#rule.connections;
    this.#rule = observe(this.#rule, {
      ...carried,
      at: this.#clock.monotonic(),
      parts: this.#parts,
      inUse: this.#semaphore.held,
    });
    const { connections } = this.#rule;
    if (connections === before) return;
    this.#semaphore.resize(connections);
    this.#log.debug({ connections, before }, `${connections} parts at once from now on`);
  }
}
