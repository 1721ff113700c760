// The rule for the number of connections, on links that are simulated: what it settles on, and what it does not fall for.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CONNECTIONS_MAX,
  FIRST_RULE,
  type Observed,
  observe,
  type Rule,
} from "../../../src/send/connections.ts";

const LOOK_MS = 500;

/** A link as it is in one moment. */
interface Link {
  /** Bytes a millisecond that all connections together may have, and each of them. */
  readonly rate: number;
  readonly each: number;
  readonly tripMs: number;
  readonly isLossTolerant?: boolean;
}

/** 200 Mbit/s, 40 ms, 1 %: a connection has 3.4 Mbit/s. */
const LOSSY: Link = { rate: 25_000, each: 425, tripMs: 40 };

class Simulation {
  rule: Rule = FIRST_RULE;
  #seen: Observed = {
    at: 0,
    bytes: 0,
    parts: 0,
    lost: 0,
    inUse: 0,
    tripMs: undefined,
    isLossTolerant: false,
  };
  /** Numbers that it has had, without repetitions. */
  readonly history: number[] = [FIRST_RULE.connections];

  /** Time goes by on `link`, with so many parts to send. */
  run(link: Link, seconds: number, given: { demand?: number; partSize?: number } = {}): this {
    const { demand = 1000, partSize = 1 << 23 } = given;
    const { tripMs, isLossTolerant = false } = link;
    for (let ms = 0; ms < seconds * 1000; ms += LOOK_MS) {
      const inUse = Math.min(demand, this.rule.connections);
      const bytes = this.#seen.bytes + Math.min(link.rate, inUse * link.each) * LOOK_MS;
      const parts = Math.floor(bytes / partSize);
      this.#see({ bytes, parts, inUse, tripMs, isLossTolerant });
    }
    return this;
  }

  /** All connections are lost at once. */
  reset(options: { partsBefore: number }): this {
    const { lost, parts } = this.#seen;
    return this.#see({
      lost: lost + this.rule.connections,
      parts: parts + options.partsBefore,
    });
  }

  #see(change: Partial<Observed>): this {
    this.#seen = { ...this.#seen, ...change, at: this.#seen.at + LOOK_MS };
    this.rule = observe(this.rule, this.#seen);
    if (this.history.at(-1) !== this.rule.connections) this.history.push(this.rule.connections);
    return this;
  }
}

describe("the number of connections", () => {
  test("stays 8 near the store, but for a try now and then", () => {
    const { history } = new Simulation().run({ rate: 1e6, each: 1e6, tripMs: 0.2 }, 90);
    expect(history.slice(0, 3)).toEqual([8, 16, 8]);
    expect(Math.max(...history)).toBe(16);
  });

  test("begins with 32 far from it, and doubles where each has its own limit, until the link is full", () => {
    const { history, rule } = new Simulation().run(LOSSY, 15);
    expect(history).toEqual([8, 32, 64, 128, 64]);
    expect(rule.connections).toBe(64);
  });

  test("stays at a number that brings less than promised, but enough", () => {
    const { history } = new Simulation().run({ rate: 32 * 425 * 1.3, each: 425, tripMs: 40 }, 20);
    expect(history).toEqual([8, 32, 64]);
  });

  test("goes to 256 on a link where that pays, and no further", () => {
    const { history } = new Simulation().run({ rate: 1e6, each: 425, tripMs: 40 }, 120);
    expect(history).toEqual([8, 32, 64, 128, 256]);
    expect(history.at(-1)).toBe(CONNECTIONS_MAX);
  });

  test("begins with 8 where losses do not limit a connection", () => {
    const link = { ...LOSSY, each: 25_000, isLossTolerant: true };
    const { history } = new Simulation().run(link, 10);
    expect(history).toEqual([8, 16, 8]);
  });

  test("is tried again after 20 s, so a link that gets worse gets more", () => {
    const simulation = new Simulation().run({ rate: 25_000, each: 5000, tripMs: 40 }, 12);
    expect(simulation.rule.connections).toBe(32);
    expect(simulation.run(LOSSY, 40).rule.connections).toBe(64);
  });

  test("does not move in an outage of any length, whenever it comes", () => {
    const down: Link = { ...LOSSY, rate: 0 };
    for (const after of [0.5, 2, 3, 5, 8, 20, 40]) {
      const simulation = new Simulation().run(LOSSY, after);
      const before = simulation.rule.connections;
      expect(simulation.run(down, 3600).rule.connections).toBe(before);
      expect(simulation.run(LOSSY, 30).rule.connections).toBeGreaterThanOrEqual(64);
      expect(Math.max(...simulation.history)).toBeLessThanOrEqual(128);
    }
  });

  test("does not move when there is less to send than may be sent", () => {
    const { history } = new Simulation().run(LOSSY, 120, { demand: 3 });
    expect(history).toEqual([8, 32]);
  });

  test("is halved when parts die before they are through, down to 4, and tried again later", () => {
    const simulation = new Simulation().run(LOSSY, 15);
    expect(simulation.reset({ partsBefore: 0 }).rule.connections).toBeLessThanOrEqual(64);
    for (let wave = 0; wave < 10; wave += 1)
      simulation.run({ ...LOSSY, rate: 1 }, 19.5).reset({ partsBefore: 0 });
    expect(simulation.rule.connections).toBe(4);
    expect(simulation.run(LOSSY, 90).rule.connections).toBeGreaterThan(4);
  });

  test("is not halved when parts get through between the resets", () => {
    const simulation = new Simulation().run(LOSSY, 15);
    for (let wave = 0; wave < 10; wave += 1)
      simulation.run(LOSSY, 19.5, { partSize: 1 << 20 }).reset({ partsBefore: 0 });
    expect(simulation.rule.connections).toBe(64);
  });

  test("is within its bounds and fills what it can, on any link", () => {
    const links = fc.record({
      rate: fc.integer({ min: 100, max: 1_000_000 }),
      each: fc.integer({ min: 10, max: 100_000 }),
      tripMs: fc.double({ min: 0.1, max: 600, noNaN: true }),
    });
    fc.assert(
      fc.property(links, (link) => {
        const { history, rule } = new Simulation().run(link, 120);
        expect(Math.min(...history)).toBeGreaterThanOrEqual(8);
        expect(Math.max(...history)).toBeLessThanOrEqual(CONNECTIONS_MAX);
        // A number is only left alone when its double brings less than a quarter of what that promises.
        const most = Math.min(link.rate, CONNECTIONS_MAX * link.each);
        const had = Math.min(link.rate, rule.connections * link.each);
        expect(had).toBeGreaterThanOrEqual(most / 1.5 - 1e-6);
      }),
    );
  });
});
