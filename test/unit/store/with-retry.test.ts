// Retries: what is tried again, for how long, and what is not.

import { describe, expect, test } from "vitest";
import { type Code, KodomountError, silentLog } from "../../../src/base/mod.ts";
import { toEtag, toKey, toPartNumber, toUploadId } from "../../../src/model/mod.ts";
import { retrying, withRetry } from "../../../src/store/mod.ts";
import { ManualClock } from "./manual-clock.ts";
import { refuse, TinyServer } from "./tiny-server.ts";

const KEY = toKey("k");

/** A clock whose sleeps take no time to wait for. */
function hastyClock(): ManualClock {
  const clock = new ManualClock();
  clock.sleep = async (ms) => {
    clock.sleeps.push(ms);
    clock.skip(ms);
  };
  return clock;
}

/** Fails so often, then succeeds. */
function failing(times: number, code: Code) {
  const calls = { count: 0 };
  const task = async (): Promise<string> => {
    calls.count += 1;
    if (calls.count <= times) throw new KodomountError(code, `failure ${calls.count}`);
    return "done";
  };
  return { task, calls };
}

describe("retrying()", () => {
  test("goes on for as long as it takes, with pauses that grow to 4 s", async () => {
    const clock = hastyClock();
    const { task } = failing(500, "Unreachable");
    expect(await retrying(task, { clock, log: silentLog, random: () => 0.5 })).toBe("done");
    expect(clock.sleeps.slice(0, 8)).toEqual([50, 100, 200, 400, 800, 1600, 2000, 2000]);
    expect(clock.sleeps).toHaveLength(500);
  });

  test("begins again soon after a connection that went on for long, not after an overload", async () => {
    const pausesAfter = async (code: Code): Promise<number[]> => {
      const clock = hastyClock();
      const { task } = failing(6, code);
      const slow = async (): Promise<string> => {
        clock.skip(20_000);
        return task();
      };
      await retrying(slow, { clock, log: silentLog, random: () => 1 });
      return clock.sleeps;
    };
    expect(await pausesAfter("Unreachable")).toEqual([100, 100, 100, 100, 100, 100]);
    expect(await pausesAfter("Unavailable")).toEqual([100, 200, 400, 800, 1600, 3200]);
  });

  test("S7.20 a wrong answer is asked for five times more, in a row", async () => {
    const clock = hastyClock();
    const often = failing(5, "BadReply");
    expect(await retrying(often.task, { clock, log: silentLog })).toBe("done");
    const always = failing(Number.POSITIVE_INFINITY, "BadReply");
    await expect(retrying(always.task, { clock, log: silentLog })).rejects.toMatchObject({
      code: "BadReply",
    });
    expect(always.calls.count).toBe(6);
  });

  test("spreads the pauses by chance of its own", async () => {
    const clock = hastyClock();
    const { task } = failing(50, "TimedOut");
    await retrying(task, { clock, log: silentLog });
    expect(Math.max(...clock.sleeps)).toBeLessThanOrEqual(4000);
    expect(new Set(clock.sleeps).size).toBeGreaterThan(40);
  });

  test.each<[Code, number]>([
    ["Unavailable", 2],
    ["AccessDenied", 1],
    ["BadDigest", 1],
    ["NoSuchUpload", 1],
    ["Interrupted", 1],
    ["Corrupt", 1],
    ["ClockSkewed", 2],
  ])("after %s asks %i times", async (code, count) => {
    const { task, calls } = failing(1, code);
    const options = { clock: hastyClock(), log: silentLog };
    await retrying(task, options).catch((error: unknown) => expect(error).toMatchObject({ code }));
    expect(calls.count).toBe(count);
  });

  test("regression: a clock that is wrong again and again is waited for, as any outage", async () => {
    const { task, calls } = failing(9, "ClockSkewed");
    expect(await retrying(task, { clock: hastyClock(), log: silentLog })).toBe("done");
    expect(calls.count).toBe(10);
  });

  test("a clock that stays wrong is told where there is a deadline", async () => {
    const { task } = failing(1000, "ClockSkewed");
    const done = retrying(task, { clock: hastyClock(), log: silentLog, deadlineMs: 5000 });
    await expect(done).rejects.toMatchObject({ code: "ClockSkewed" });
  });

  test("with a deadline gives up then, with the last error", async () => {
    const clock = hastyClock();
    const { task } = failing(1000, "Unavailable");
    const start = clock.monotonic();
    const done = retrying(task, { clock, log: silentLog, deadlineMs: 30_000, random: () => 1 });
    await expect(done).rejects.toMatchObject({ code: "Unavailable" });
    expect(clock.monotonic() - start).toBeGreaterThan(25_000);
    expect(clock.monotonic() - start).toBeLessThanOrEqual(30_000);
  });

  test("ends in the pause when it is aborted", async () => {
    const abort = new AbortController();
    const { task, calls } = failing(1000, "Unavailable");
    const clock = new ManualClock();
    const done = retrying(task, { clock, log: silentLog }, abort.signal);
    await expect.poll(() => clock.sleeps.length).toBe(1);
    abort.abort();
    await expect(done).rejects.toMatchObject({ code: "Interrupted" });
    expect(calls.count).toBe(1);
  });

  test("says so after 10 s, and then each time it has lasted twice as long", async () => {
    const said: string[] = [];
    const log = { ...silentLog, warn: (_: object, message: string) => void said.push(message) };
    const { task } = failing(45, "Unreachable");
    await retrying(task, { clock: hastyClock(), log, random: () => 1 });
    expect(said.map((line) => Number(/\d+/.exec(line)?.[0]))).toEqual([10, 22, 46, 94]);
    expect(said[0]).toContain("failure");
  });
});

describe("withRetry()", () => {
  test("a store that is overloaded is asked again; complete() is not", async () => {
    await using server = await TinyServer.start((number, request, response) => {
      request.resume();
      if (number % 3 !== 0) return refuse(response, 503, "SlowDown");
      response.writeHead(200, { ETag: '"v"', "content-length": 0 }).end();
    });
    const clock = hastyClock();
    const store = withRetry(server.store(), { clock, log: silentLog });
    expect((await store.get({ key: KEY })).etag).toBe('"v"');
    expect(server.requests).toHaveLength(3);
    const parts = [{ partNumber: toPartNumber(1), etag: toEtag("e") }];
    const complete = store.complete({ key: KEY, uploadId: toUploadId("U"), parts });
    await expect(complete).rejects.toMatchObject({ code: "Unavailable" });
    expect(server.requests).toHaveLength(4);
  });
});
