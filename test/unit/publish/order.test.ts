// Who goes first: turns in a directory, and the lag.

import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../src/base/mod.ts";
import { toKey } from "../../../src/model/mod.ts";
import { Order } from "../../../src/publish/order.ts";

const A = toKey("a/");
const B = toKey("b/");
const never = new AbortController().signal;

function at(now: number): { clock: Clock; set: (ms: number) => void } {
  let time = now;
  return { clock: { ...systemClock, now: () => time }, set: (ms) => void (time = ms) };
}

/** Whether a promise has settled once everything that could happen now has happened. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(
    () => (done = true),
    () => (done = true),
  );
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  return done;
}

describe("Order", () => {
  test("S2.4 turn() waits for what was closed earlier in the same directory, and for nothing else", async () => {
    const order = new Order(at(0).clock, 2000);
    const [first, other, second] = [order.take(A, 0), order.take(B, 0), order.take(A, 0)];
    expect(await isDone(order.turn(first, A, never))).toBe(true);
    expect(await isDone(order.turn(other, B, never))).toBe(true);
    const waiting = order.turn(second, A, never);
    expect(await isDone(waiting)).toBe(false);
    order.leave(first, A);
    expect(await isDone(waiting)).toBe(true);
  });

  test("turn() that is interrupted gives up its wait, not its place", async () => {
    const order = new Order(at(0).clock, 2000);
    const [first, second, third] = [order.take(A, 0), order.take(A, 0), order.take(A, 0)];
    const abort = new AbortController();
    const interrupted = order.turn(second, A, abort.signal);
    const last = order.turn(third, A, never);
    abort.abort();
    await expect(interrupted).rejects.toMatchObject({ code: "Interrupted" });
    order.leave(first, A);
    expect(await isDone(last)).toBe(false);
    order.leave(second, A);
    expect(await isDone(last)).toBe(true);
  });

  test("S2.2 withinLag() returns while nothing older is overdue, and waits once it is", async () => {
    const { clock, set } = at(0);
    const order = new Order(clock, 2000);
    const [old, young] = [order.take(A, 0), order.take(B, 0)];
    set(1999);
    expect(await isDone(order.withinLag(young, never))).toBe(true);
    set(2000);
    const waiting = order.withinLag(young, never);
    expect(await isDone(waiting)).toBe(false);
    expect(await isDone(order.withinLag(old, never))).toBe(true);
    order.leave(old, A);
    expect(await isDone(waiting)).toBe(true);
  });

  test("restore() keeps places over a restart, and take() goes on behind them", () => {
    const order = new Order(at(0).clock, 2000);
    order.restore(7, A, 0);
    expect(order.take(A, 0)).toBe(8);
  });
});
