// The log says what stands still: after 10 s, then each time it has lasted twice as long, and when it moves again.

import { describe, expect, it } from "vitest";
import { judgeMovement, type Look, type Standstill } from "../../../src/cli/movement.ts";
import type { PendingStatus } from "../../../src/control/mod.ts";
import { pending } from "./fake-mount.ts";

/** What is said in `seconds` looks, one a second; `at` changes what is seen. */
function lines(seconds: number, at: (second: number) => Partial<Look>): string[] {
  let state: Standstill = { moved: 0, bytesCarried: 0, since: 0, toldMs: 0 };
  const said: string[] = [];
  for (let second = 1; second <= seconds; second += 1) {
    const look: Look = {
      moved: 0,
      bytesCarried: 0,
      inFlight: 0,
      trouble: undefined,
      pending: () => [],
      ...at(second),
    };
    const judged = judgeMovement(state, look, second * 1000);
    state = judged.state;
    if (judged.line !== undefined) said.push(`${second} ${judged.line.level} ${judged.line.text}`);
  }
  return said;
}

const waiting = (...files: PendingStatus[]): Partial<Look> => ({ pending: () => files });

describe("judgeMovement()", () => {
  it("tells after 10 s, then doubling, and once when it moves again", () => {
    const trouble = { since: 0, error: "connect ECONNREFUSED" };
    const file = pending({ path: "a\nb" });
    const said = lines(100, (second) => ({
      ...waiting(file),
      trouble,
      inFlight: 2,
      moved: second < 95 ? 0 : second,
    }));
    expect(said.map((line) => line.split(" ", 2).join(" "))).toEqual([
      "10 warn",
      "20 warn",
      "40 warn",
      "80 warn",
      "95 info",
    ]);
    expect(said[0]).toBe(
      `10 warn The store has acknowledged nothing for 10 s: 1 file waits (16.0 MiB), first "a\\nb"; 2 parts are under way; connect ECONNREFUSED`,
    );
    expect(said.at(-1)).toContain("Something moves again, after 1 min 35 s");
  });

  it("says nothing while something moves, and nothing of what does not wait for the store", () => {
    expect(lines(60, (second) => ({ ...waiting(pending({ path: "a" })), moved: second }))).toEqual(
      [],
    );
    const others = waiting(
      pending({ path: "a", state: "open", promised: false, waitsFor: "writer" }),
      pending({ path: "b", state: "parked", waitsFor: "operator" }),
      pending({ path: "c", state: "interrupted", promised: false, waitsFor: "operator" }),
      pending({ path: "d", state: "held", promised: false, waitsFor: "rename" }),
    );
    expect(lines(60, () => others)).toEqual([]);
  });

  it("takes bytes on their way for movement, but not those that the store answers with failures", () => {
    const file = waiting(pending({ path: "a" }));
    expect(lines(60, (second) => ({ ...file, bytesCarried: second, inFlight: 1 }))).toEqual([]);
    const trouble = { since: 0, error: "503 SlowDown" };
    const said = lines(30, (second) => ({ ...file, bytesCarried: second, inFlight: 1, trouble }));
    expect(said.map((line) => line.split(" ")[0])).toEqual(["10", "20"]);
  });

  it("counts from when something began to wait, not from when something moved before", () => {
    const said = lines(110, (second) => (second < 100 ? {} : waiting(pending({ path: "a" }))));
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^109 warn .* for 10 s/);
  });

  it("tells of requests that fail though no file waits, and when that is over", () => {
    const trouble = { since: 0, error: "LIST : connect ECONNREFUSED" };
    expect(lines(13, (second) => (second < 12 ? { trouble } : {}))).toEqual([
      "10 warn The store has acknowledged nothing for 10 s: no file waits; 0 parts are under way; LIST : connect ECONNREFUSED",
      "12 info Nothing waits any more, after 12 s",
    ]);
  });

  it("tells of parts of a file that is still being written", () => {
    expect(lines(12, () => ({ inFlight: 3 }))).toHaveLength(1);
  });
});
