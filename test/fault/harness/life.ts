// The life of a process that a test can end at once, within its own process: what belongs to it reaches disk, catalog and
// store through seams that go dead. From then on nothing is begun there any more, and nothing that was is ever answered, as
// with SIGKILL.

import { type Clock, KodomountError } from "../../../src/base/mod.ts";

/** What can be counted in a run; a fault falls before or after the nth of its kind. */
export type EventKind = "disk" | "catalog" | "request" | "operation";

export interface Moment {
  readonly kind: EventKind;
  readonly edge: "before" | "after";
  /** The first is 1. */
  readonly count: number;
}

const NEVER: Promise<never> = new Promise(() => {});

/** Counts events over all lives of a run, and calls who waits for one. */
export class Moments {
  readonly #counts = new Map<string, number>();
  readonly #waiting: { moment: Moment; act: () => void }[] = [];

  /** `act` is called when the moment comes, before anything else happens. */
  at(moment: Moment, act: () => void): void {
    this.#waiting.push({ moment, act });
  }

  /** `act` is called at the moment and at each later one of its kind, until it answers true. */
  from(moment: Moment, act: () => boolean): void {
    const waiting = (count: number): void =>
      this.at({ ...moment, count }, () => {
        if (!act()) waiting(count + 1);
      });
    waiting(moment.count);
  }

  count(kind: EventKind): number {
    return this.#counts.get(`before ${kind}`) ?? 0;
  }

  note(kind: EventKind, edge: Moment["edge"]): void {
    const name = `${edge} ${kind}`;
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    for (const { moment, act } of [...this.#waiting])
      if (moment.kind === kind && moment.edge === edge && moment.count === count) act();
  }
}

export class Life {
  readonly moments: Moments;
  readonly #clock: Clock;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #timers = new Set<() => void>();
  #isOver = false;
  #end: () => void = () => {};
  /** Resolves when it ends. */
  readonly ended: Promise<void> = new Promise((resolve) => {
    this.#end = resolve;
  });

  constructor(moments: Moments, clock: Clock) {
    this.moments = moments;
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends it at once. */
  kill(): void {
    this.#isOver = true;
    for (const cancel of this.#timers) cancel();
    this.#end();
  }

  /** Resolves when what was under way at the end has come to its own: the kernel finishes what it was asked. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled([...this.#underWay]);
  }

  /** What a program sees of this process: its answers, or that it is gone. */
  async orGone<T>(task: Promise<T>): Promise<T> {
    const gone = this.ended.then((): never => {
      throw new KodomountError("Unreachable", "The mount is gone");
    });
    return Promise.race([task, gone]);
  }

  /** `target`, whose methods `names` (all that return promises when absent) count as events and die with this life. */
  seam<T extends object>(target: T, kind: EventKind, names?: readonly (keyof T)[]): T {
    return new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        const isMortal = names === undefined || names.some((each) => each === name);
        return (...args: unknown[]) =>
          isMortal ? this.#call(kind, () => value.apply(target, args)) : value.apply(target, args);
      },
    });
  }

  /** The clock of this life: what sleeps never wakes after its end. */
  clock(): Clock {
    const { now, monotonic } = this.#clock;
    return {
      now,
      monotonic,
      sleep: async (ms, signal) => {
        if (this.#isOver) return NEVER;
        await this.#hear(this.#clock.sleep(ms, signal));
      },
      after: (ms, task) => {
        if (this.#isOver) return () => {};
        const cancel = this.#clock.after(ms, () => {
          this.#timers.delete(cancel);
          if (!this.#isOver) task();
        });
        this.#timers.add(cancel);
        return () => {
          this.#timers.delete(cancel);
          cancel();
        };
      },
    };
  }

  #call(kind: EventKind, task: () => unknown): unknown {
    if (this.#isOver) return NEVER;
    this.moments.note(kind, "before");
    if (this.#isOver) return NEVER;
    const result = task();
    if (!(result instanceof Promise)) return result;
    this.#underWay.add(result);
    const counted = result.finally(() => {
      this.#underWay.delete(result);
      if (!this.#isOver) this.moments.note(kind, "after");
    });
    return this.#hear(counted);
  }

  /** The outcome, for who is still there to hear it. */
  async #hear<T>(outcome: Promise<T>): Promise<T> {
    try {
      const value = await outcome;
      return this.#isOver ? await NEVER : value;
    } catch (error) {
      if (this.#isOver) return NEVER;
      throw error;
    }
  }
}
