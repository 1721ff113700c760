// The system clock and jitter. Timers are vitest's: no test waits for real.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { codeOf, jitter, systemClock } from "../../../src/base/mod.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("systemClock", () => {
  test("sleep() resolves after its time, not before", async () => {
    let awake = false;
    const sleeping = systemClock.sleep(100).then(() => {
      awake = true;
    });
    await vi.advanceTimersByTimeAsync(99);
    expect(awake).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await sleeping;
    expect(awake).toBe(true);
  });

  test("sleep() ends with Interrupted when the signal aborts, and leaves no timer", async () => {
    const abort = new AbortController();
    const ended = systemClock.sleep(1000, abort.signal).then(
      () => "slept",
      (error: unknown) => codeOf(error),
    );
    abort.abort();
    expect(await ended).toBe("Interrupted");
    expect(vi.getTimerCount()).toBe(0);
    await expect(systemClock.sleep(1, AbortSignal.abort())).rejects.toThrow("interrupted");
  });

  test("after() calls once, or never when cancelled", async () => {
    const calls: string[] = [];
    systemClock.after(10, () => calls.push("kept"));
    const cancel = systemClock.after(10, () => calls.push("cancelled"));
    cancel();
    await vi.advanceTimersByTimeAsync(50);
    expect(calls).toEqual(["kept"]);
  });

  test("monotonic() does not go back", () => {
    const first = systemClock.monotonic();
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first);
  });
});

test("jitter() is from zero up to one, and varies", () => {
  const values = Array.from({ length: 100 }, () => jitter());
  expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(new Set(values).size).toBeGreaterThan(1);
});
