// The table of states and events of a save, all of it: what each pair leads to, or that it cannot be.

import { describe, expect, test } from "vitest";
import { codeOf } from "../../../src/base/mod.ts";
import { isPromised, type SaveEvent, type SaveState, transition } from "../../../src/model/mod.ts";

const PROMISE = { size: 7, closedAt: 1000, order: 3 };

const STATES = {
  open: { kind: "open" },
  refused: { kind: "refused", why: "NoSpace" },
  held: { kind: "held", since: 400, size: 7 },
  closed: { kind: "closed", ...PROMISE },
  completing: { kind: "completing", ...PROMISE, token: "t" },
  parked: { kind: "parked", ...PROMISE, why: "AccessDenied" },
  interrupted: { kind: "interrupted", since: 500, size: 7 },
} satisfies { [K in SaveState["kind"]]: SaveState & { kind: K } };

const EVENTS = {
  close: { kind: "close", size: 9, closedAt: 2000, order: 4 },
  hold: { kind: "hold", size: 9, since: 450 },
  refuse: { kind: "refuse", why: "Io" },
  interrupt: { kind: "interrupt", since: 600, size: 8 },
  complete: { kind: "complete", token: "u" },
  settle: { kind: "settle" },
  park: { kind: "park", why: "QuotaExceeded" },
  unpark: { kind: "unpark" },
  distrust: { kind: "distrust", since: 700 },
} satisfies { [K in SaveEvent["kind"]]: SaveEvent & { kind: K } };

const CLOSED_NOW: SaveState = { kind: "closed", size: 9, closedAt: 2000, order: 4 };
const INTERRUPTED_NOW: SaveState = { kind: "interrupted", since: 600, size: 8 };

/** Every pair that is possible; every other one is a mistake of ours. */
const TABLE: { [S in SaveState["kind"]]: { [E in SaveEvent["kind"]]?: SaveState } } = {
  open: {
    close: CLOSED_NOW,
    hold: { kind: "held", since: 450, size: 9 },
    refuse: { kind: "refused", why: "Io" },
    interrupt: INTERRUPTED_NOW,
  },
  refused: {
    close: CLOSED_NOW,
    // The first reason stays: it is the one that the program has met.
    refuse: STATES.refused,
    interrupt: INTERRUPTED_NOW,
  },
  // Its rename closes it.
  held: { close: CLOSED_NOW, interrupt: INTERRUPTED_NOW },
  closed: {
    distrust: { kind: "interrupted", since: 700, size: 7 },
    complete: { kind: "completing", ...PROMISE, token: "u" },
    park: { kind: "parked", ...PROMISE, why: "QuotaExceeded" },
  },
  completing: {
    distrust: { kind: "interrupted", since: 700, size: 7 },
    settle: STATES.closed,
    park: { kind: "parked", ...PROMISE, why: "QuotaExceeded" },
  },
  parked: { unpark: STATES.closed },
  interrupted: { close: CLOSED_NOW },
};

const PAIRS = Object.values(STATES).flatMap((state) =>
  Object.values(EVENTS).map((event) => ({ state, event, after: TABLE[state.kind][event.kind] })),
);

describe("transition()", () => {
  test.each(PAIRS.filter(({ after }) => after !== undefined))(
    "$state.kind, $event.kind -> $after.kind",
    ({ state, event, after }) => {
      expect(transition(state, event)).toEqual(after);
    },
  );

  test.each(PAIRS.filter(({ after }) => after === undefined))(
    "$state.kind, $event.kind cannot be",
    ({ state, event }) => {
      let code = "none";
      try {
        transition(state, event);
      } catch (error) {
        code = codeOf(error);
      }
      expect(code).toBe("Programmer");
    },
  );

  test("every state and every event is in the table", () => {
    expect(PAIRS).toHaveLength(7 * 9);
  });

  test("leaves the state that it was given as it was", () => {
    const before = structuredClone(STATES.closed);
    transition(STATES.closed, EVENTS.complete);
    expect(STATES.closed).toEqual(before);
  });
});

describe("isPromised()", () => {
  test("is true from close on, until the record is gone", () => {
    const promised = Object.values(STATES).filter(isPromised);
    expect(promised.map(({ kind }) => kind)).toEqual(["closed", "completing", "parked"]);
  });
});
