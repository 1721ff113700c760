// A clock that stands still until a test moves it; real input and output go on between its seconds.

import { readFile } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { type Clock, KodomountError } from "../../../src/base/mod.ts";

interface Alarm {
  readonly at: number;
  readonly task: () => void;
}

export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #alarms = new Set<Alarm>();
  /** How long each sleep was asked to take. */
  readonly sleeps: number[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): () => void {
    const alarm = { at: this.#now + ms, task };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    return new Promise((resolve, reject) => {
      const cancel = this.after(ms, resolve);
      const onAbort = (): void => {
        cancel();
        reject(new KodomountError("Interrupted", "interrupted"));
      };
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Time goes by at once, and nobody is woken. */
  skip(ms: number): void {
    this.#now += ms;
  }

  /** Seconds go by, one after the other, with time for what each of them sets off. */
  async advance(ms: number): Promise<void> {
    for (const end = this.#now + ms; this.#now < end; ) {
      this.#now = Math.min(end, this.#now + 1000);
      for (const alarm of [...this.#alarms]) {
        if (alarm.at > this.#now || !this.#alarms.delete(alarm)) continue;
        alarm.task();
      }
      await settle();
    }
  }
}

/** Time for what was set off: turns of the event loop, and file work of the kind that the watch over a request does. */
async function settle(): Promise<void> {
  await readFile("/proc/self/net/tcp");
  for (let turns = 0; turns < 20; turns += 1) await turn();
}
