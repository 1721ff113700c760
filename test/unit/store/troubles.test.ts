// What is tried again at the moment: known while it lasts, per key, and gone when a request for the key has ended.

import { describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/mod.ts";
import { toKey } from "../../../src/model/mod.ts";
import { Troubles, withRetry } from "../../../src/store/mod.ts";
import { ManualClock } from "./manual-clock.ts";
import { refuse, TinyServer } from "./tiny-server.ts";

const KEY = toKey("k");

describe("Troubles", () => {
  test("keeps when a key's trouble began, and the last words of it", () => {
    let now = 1000;
    const troubles = new Troubles({ now: () => now });
    troubles.note(KEY, "first");
    now = 5000;
    troubles.note(KEY, "second");
    troubles.note(toKey("other"), "later");
    expect(troubles.of(KEY)).toEqual({ since: 1000, error: "second" });
    expect(troubles.longest).toEqual({ since: 1000, error: "second" });
    troubles.end(KEY);
    expect(troubles.of(KEY)).toBeUndefined();
    expect(troubles.longest).toEqual({ since: 5000, error: "later" });
    troubles.end(toKey("other"));
    expect(troubles.longest).toBeUndefined();
  });

  test("has what withRetry() tries again, until the request has ended, well or for good", async () => {
    await using server = await TinyServer.start((number, request, response) => {
      request.resume();
      if (number === 4) return refuse(response, 403, "AccessDenied");
      if (number !== 2) return refuse(response, 503, "SlowDown");
      response.writeHead(200, { ETag: '"v"', "content-length": 0 }).end();
    });
    const clock = new ManualClock();
    const seen: (string | undefined)[] = [];
    const troubles = new Troubles(clock);
    clock.sleep = async () => void seen.push(troubles.of(KEY)?.error);
    const lines: string[] = [];
    const warn = (_: object, text: string): void => void lines.push(text);
    const store = withRetry(server.store(), { clock, log: { ...silentLog, warn }, troubles });
    await store.get({ key: KEY });
    expect(troubles.of(KEY)).toBeUndefined();
    await expect(store.get({ key: KEY })).rejects.toMatchObject({ code: "AccessDenied" });
    expect(troubles.of(KEY)).toBeUndefined();
    expect(seen).toEqual([
      expect.stringContaining("503 SlowDown"),
      expect.stringContaining("503 SlowDown"),
    ]);
    // One line for all of them is said elsewhere.
    expect(lines).toEqual([]);
  });
});
