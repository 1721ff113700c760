// Mutex, Semaphore and Notifier: who gets in, in which order, and what a signal does to a wait.

import { describe, expect, test } from "vitest";
import { codeOf, KodomountError, Mutex, Notifier, Semaphore } from "../../../src/base/mod.ts";

/** Lets everything run that can run without a timer. */
async function turn(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await Promise.resolve();
}

async function codeOfRejected(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return codeOf(error);
  }
  return "none";
}

describe("Mutex.acquire()", () => {
  test("lets one in at a time, in order of asking", async () => {
    const mutex = new Mutex();
    const order: number[] = [];
    let inside = 0;
    const visit = async (n: number): Promise<void> => {
      using _ = await mutex.acquire();
      inside += 1;
      expect(inside).toBe(1);
      await turn();
      order.push(n);
      inside -= 1;
    };
    await Promise.all([1, 2, 3, 4].map(visit));
    expect(order).toEqual([1, 2, 3, 4]);
  });

  test("gives up its place when the signal aborts, and the next one goes on", async () => {
    const mutex = new Mutex();
    const first = await mutex.acquire();
    const abort = new AbortController();
    const second = codeOfRejected(mutex.acquire(abort.signal));
    const third = mutex.acquire();
    abort.abort();
    expect(await second).toBe("Interrupted");
    first[Symbol.dispose]();
    (await third)[Symbol.dispose]();
    (await mutex.acquire())[Symbol.dispose]();
  });

  test("refuses at once when the signal has aborted already", async () => {
    const mutex = new Mutex();
    expect(await codeOfRejected(mutex.acquire(AbortSignal.abort()))).toBe("Interrupted");
    (await mutex.acquire())[Symbol.dispose]();
  });

  test("a permit that is released twice lets in one", async () => {
    const mutex = new Mutex();
    const first = await mutex.acquire();
    const second = mutex.acquire();
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await second;
    let third = false;
    const waiting = mutex.acquire().then(() => {
      third = true;
    });
    await turn();
    expect(third).toBe(false);
    (await second)[Symbol.dispose]();
    await waiting;
  });

  test("an abort after the permit was had changes nothing", async () => {
    const mutex = new Mutex();
    const abort = new AbortController();
    const first = await mutex.acquire();
    const second = mutex.acquire(abort.signal);
    first[Symbol.dispose]();
    const permit = await second;
    abort.abort();
    const third = mutex.acquire();
    permit[Symbol.dispose]();
    (await third)[Symbol.dispose]();
  });
});

describe("Semaphore.acquire()", () => {
  test("lets in as many as there are permits", async () => {
    const semaphore = new Semaphore(2);
    await semaphore.acquire();
    const permit = await semaphore.acquire();
    const third = semaphore.acquire();
    await turn();
    expect(semaphore.waiting).toBe(1);
    permit[Symbol.dispose]();
    await third;
    expect(semaphore.waiting).toBe(0);
  });

  test("serves the smallest priority first, then the order of asking", async () => {
    const semaphore = new Semaphore(1);
    const held = await semaphore.acquire();
    const order: string[] = [];
    const visit = async (name: string, priority: number): Promise<void> => {
      using _ = await semaphore.acquire(priority);
      order.push(name);
    };
    const all = [visit("c", 5), visit("a", 1), visit("d", 5), visit("b", 1)];
    held[Symbol.dispose]();
    await Promise.all(all);
    expect(order).toEqual(["a", "b", "c", "d"]);
  });

  test("rejects with Interrupted when the signal aborts, and loses no permit", async () => {
    const semaphore = new Semaphore(1);
    const held = await semaphore.acquire();
    const abort = new AbortController();
    const waiting = codeOfRejected(semaphore.acquire(0, abort.signal));
    abort.abort();
    expect(await waiting).toBe("Interrupted");
    expect(semaphore.waiting).toBe(0);
    held[Symbol.dispose]();
    await semaphore.acquire();
  });

  test("more permits let in who waits; fewer are held back until those that are held are given", async () => {
    const semaphore = new Semaphore(1);
    const permits = [await semaphore.acquire()];
    const waiting = [semaphore.acquire(), semaphore.acquire()];
    semaphore.resize(3);
    permits.push(...(await Promise.all(waiting)));
    expect(semaphore.held).toBe(3);
    semaphore.resize(1);
    const late = semaphore.acquire();
    permits[0]?.[Symbol.dispose]();
    permits[1]?.[Symbol.dispose]();
    await turn();
    expect([semaphore.held, semaphore.waiting]).toEqual([1, 1]);
    permits[2]?.[Symbol.dispose]();
    await late;
    expect([semaphore.held, semaphore.waiting]).toEqual([1, 0]);
    expect(() => semaphore.resize(0)).toThrow(KodomountError);
  });

  test.each([0, -1, 1.5, Number.NaN])("cannot be made with %s permits", (permits) => {
    expect(() => new Semaphore(permits)).toThrow(KodomountError);
  });
});

describe("Notifier", () => {
  test("notify() wakes everybody who waits then, and nobody who comes later", async () => {
    const notifier = new Notifier();
    const both = Promise.all([notifier.wait(), notifier.wait()]);
    notifier.notify();
    await both;
    let woken = false;
    const later = notifier.wait().then(() => {
      woken = true;
    });
    await turn();
    expect(woken).toBe(false);
    notifier.notify();
    await later;
  });

  test("wait() rejects with Interrupted when the signal aborts", async () => {
    const notifier = new Notifier();
    const abort = new AbortController();
    const waiting = codeOfRejected(notifier.wait(abort.signal));
    abort.abort();
    expect(await waiting).toBe("Interrupted");
    expect(await codeOfRejected(notifier.wait(AbortSignal.abort()))).toBe("Interrupted");
  });
});
