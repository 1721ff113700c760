// Background: what runs without somebody waiting for it is logged when it fails, and can be waited for at the end.

import { describe, expect, test } from "vitest";
import { Background, type Log, silentLog } from "../../../src/base/mod.ts";

describe("Background", () => {
  test("run() logs and counts what fails, with its name and its cause", async () => {
    const lines: string[] = [];
    const log: Log = { ...silentLog, error: (_, message) => lines.push(message) };
    const background = new Background(log);
    background.run("the sweep", async () => {
      throw new Error("no room", { cause: new Error("disk is full") });
    });
    background.run("the rest", async () => undefined);
    await background.settled();
    expect(lines).toEqual(["the sweep failed: no room: disk is full"]);
    expect(background.failures).toBe(1);
  });

  test("settled() also waits for what a task has started", async () => {
    const background = new Background(silentLog);
    const done: string[] = [];
    background.run("outer", async () => {
      await Promise.resolve();
      background.run("inner", async () => {
        await Promise.resolve();
        done.push("inner");
      });
      done.push("outer");
    });
    await background.settled();
    expect(done).toEqual(["outer", "inner"]);
  });
});
