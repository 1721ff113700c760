// Who may write on, and who waits for the network.

import { describe, expect, test } from "vitest";
import { toSaveId } from "../../../src/model/mod.ts";
import { Backlog } from "../../../src/publish/backlog.ts";
import { ManualClock } from "../store/manual-clock.ts";

const MIB = 1024 * 1024;
const SAVE = toSaveId("00000000000000a1");
const OTHER = toSaveId("00000000000000a2");

class Fixture {
  readonly clock = new ManualClock();
  acknowledged = 0;
  inFlight = 0;
  readonly answers: string[] = [];
  readonly backlog: Backlog;

  constructor(spillLimit = 1024 * MIB) {
    const { clock } = this;
    const progress = (): { bytesAcknowledged: number; inFlight: number } => ({
      bytesAcknowledged: this.acknowledged,
      inFlight: this.inFlight,
    });
    this.backlog = new Backlog({ clock, progress, spillLimit });
  }

  /** More than may be on its way, until it is disposed of. */
  many(): Disposable {
    const parts = Array.from({ length: 64 }, () => this.backlog.begin(OTHER, 8 * MIB));
    return { [Symbol.dispose]: () => parts.forEach((part) => part[Symbol.dispose]()) };
  }

  ask(name: string, signal?: AbortSignal): void {
    this.backlog.turn(signal).then(
      () => this.answers.push(name),
      (error: { code: string }) => this.answers.push(`${name} ${error.code}`),
    );
  }

  async answered(): Promise<string[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.answers;
  }
}

describe("Backlog.turn()", () => {
  test("256 MiB may be on their way, then the next waits for a part to arrive", async () => {
    const fixture = new Fixture();
    const parts = Array.from({ length: 32 }, () => fixture.backlog.begin(SAVE, 8 * MIB));
    fixture.ask("a");
    expect(await fixture.answered()).toEqual([]);
    parts[0]?.[Symbol.dispose]();
    expect(await fixture.answered()).toEqual(["a"]);
    expect(fixture.backlog.bytes).toBe(31 * 8 * MIB);
  });

  test("half of a small spill is enough", async () => {
    const fixture = new Fixture(32 * MIB);
    for (let n = 0; n < 15; n += 1) fixture.backlog.begin(SAVE, MIB);
    fixture.ask("a");
    expect(await fixture.answered()).toEqual(["a"]);
    fixture.backlog.begin(SAVE, MIB);
    fixture.ask("b");
    expect(await fixture.answered()).toEqual(["a"]);
  });

  test("as many connections as pay are kept busy, whatever that is", async () => {
    const fixture = new Fixture();
    fixture.inFlight = 64;
    for (let n = 0; n < 87; n += 1) fixture.backlog.begin(SAVE, 8 * MIB);
    fixture.ask("a");
    expect(await fixture.answered()).toEqual(["a"]);
    fixture.backlog.begin(SAVE, 8 * MIB);
    fixture.ask("b");
    expect(await fixture.answered()).toEqual(["a"]);
  });

  test("what the store took in the last 10 s may be on its way, when that is more", async () => {
    const fixture = new Fixture();
    fixture.ask("first");
    await fixture.answered();
    for (let second = 1; second <= 10; second += 1) {
      await fixture.clock.advance(1000);
      fixture.acknowledged += 100 * MIB;
      fixture.ask(`${second}`);
      await fixture.answered();
    }
    const parts = Array.from({ length: 9 }, () => fixture.backlog.begin(SAVE, 100 * MIB));
    fixture.ask("below");
    expect((await fixture.answered()).at(-1)).toBe("below");
    parts.push(fixture.backlog.begin(SAVE, 100 * MIB));
    fixture.ask("above");
    expect((await fixture.answered()).at(-1)).toBe("below");
    // Nothing arrives for 10 s: what is known of the network is too old.
    await fixture.clock.advance(11_000);
    parts.pop()?.[Symbol.dispose]();
    expect((await fixture.answered()).at(-1)).toBe("below");
  });

  test("two go on for each part that arrives, in the order of asking; late-comers last", async () => {
    const fixture = new Fixture();
    const parts = Array.from({ length: 32 }, () => fixture.backlog.begin(SAVE, 8 * MIB));
    for (const name of ["a", "b", "c", "d"]) fixture.ask(name);
    parts.pop()?.[Symbol.dispose]();
    fixture.ask("late");
    expect(await fixture.answered()).toEqual(["a", "b"]);
    parts.pop()?.[Symbol.dispose]();
    expect(await fixture.answered()).toEqual(["a", "b", "c", "d"]);
  });

  test("all go on when nothing is on its way any more", async () => {
    const fixture = new Fixture();
    const part = fixture.many();
    for (const name of ["a", "b", "c", "d"]) fixture.ask(name);
    part[Symbol.dispose]();
    expect(await fixture.answered()).toEqual(["a", "b", "c", "d"]);
  });

  test("an interrupted wait ends at once and gives up its place", async () => {
    const fixture = new Fixture();
    const part = fixture.many();
    const gone = new AbortController();
    fixture.ask("a", gone.signal);
    fixture.ask("b");
    gone.abort();
    expect(await fixture.answered()).toEqual(["a Interrupted"]);
    fixture.ask("c", gone.signal);
    expect(await fixture.answered()).toEqual(["a Interrupted", "c Interrupted"]);
    part[Symbol.dispose]();
    expect(await fixture.answered()).toEqual(["a Interrupted", "c Interrupted", "b"]);
  });
});

test("Backlog.has() says whose parts are on their way", () => {
  const { backlog } = new Fixture();
  const [first, second] = [backlog.begin(SAVE, 1), backlog.begin(SAVE, 1)];
  first[Symbol.dispose]();
  expect([backlog.has(SAVE), backlog.has(OTHER)]).toEqual([true, false]);
  second[Symbol.dispose]();
  expect(backlog.has(SAVE)).toBe(false);
});
