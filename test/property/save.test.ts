// Any sequence of events on a save: promises are never lost by a transition, and never made by one but close.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CODES, codeOf } from "../../src/base/mod.ts";
import { isPromised, type SaveEvent, type SaveState, transition } from "../../src/model/mod.ts";
import { check } from "../support/seed.ts";

const code = fc.constantFrom(...CODES);
const size = fc.nat(1_000_000);

const events: fc.Arbitrary<SaveEvent> = fc.oneof(
  fc.record({ kind: fc.constant("close"), size, closedAt: fc.nat(), order: fc.nat() }),
  fc.record({ kind: fc.constant("hold"), size, since: fc.nat() }),
  fc.record({ kind: fc.constant("refuse"), why: code }),
  fc.record({ kind: fc.constant("interrupt"), since: fc.nat(), size }),
  fc.record({ kind: fc.constant("distrust"), since: fc.nat() }),
  fc.record({ kind: fc.constant("complete"), token: fc.string() }),
  fc.record({ kind: fc.constant("settle") }),
  fc.record({ kind: fc.constant("park"), why: code }),
  fc.record({ kind: fc.constant("unpark") }),
);

/** The state after each event that was possible; impossible ones change nothing. */
function* run(
  sequence: readonly SaveEvent[],
): Generator<{ before: SaveState; event: SaveEvent; after: SaveState }> {
  let state: SaveState = { kind: "open" };
  for (const event of sequence) {
    const before = state;
    try {
      state = transition(before, event);
    } catch (error) {
      expect(codeOf(error)).toBe("Programmer");
      continue;
    }
    yield { before, event, after: state };
  }
}

const sequences = fc.array(events, { maxLength: 40 });

describe("transition()", () => {
  test("a promise, once given, stays with its size, time and order", () => {
    check(sequences, (sequence) => {
      for (const { before, event, after } of run(sequence)) {
        // Distrust is of closes that have not returned: nothing was promised to anybody.
        if (!isPromised(before) || event.kind === "distrust") continue;
        expect(isPromised(after)).toBe(true);
        expect(promiseOf(after)).toEqual(promiseOf(before));
      }
    });
  });

  test("only close gives a promise", () => {
    check(sequences, (sequence) => {
      for (const { before, event, after } of run(sequence))
        if (!isPromised(before) && isPromised(after)) expect(event.kind).toBe("close");
    });
  });

  test("from every state that promises, publishing can be tried again", () => {
    check(sequences, (sequence) => {
      const last = [...run(sequence)].at(-1)?.after;
      if (last === undefined || !isPromised(last)) return;
      const way: SaveEvent[] = [{ kind: "settle" }, { kind: "unpark" }];
      const again = way.flatMap((event) => [...runFrom(last, event)]);
      expect(last.kind === "closed" || again.some(({ kind }) => kind === "closed")).toBe(true);
    });
  });
});

function* runFrom(state: SaveState, event: SaveEvent): Generator<SaveState> {
  try {
    yield transition(state, event);
  } catch (error) {
    expect(codeOf(error)).toBe("Programmer");
  }
}

function promiseOf(state: SaveState): unknown {
  if (!isPromised(state) || state.kind === "open") return undefined;
  return "order" in state && [state.size, state.closedAt, state.order];
}
