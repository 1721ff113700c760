// KodomountError and its helpers: codes, causes, and what an operator reads.

import { describe, expect, test } from "vitest";
import {
  CODES,
  codeOf,
  describe as describeError,
  errnoOf,
  groupBy,
  invariant,
  KodomountError,
  required,
  toError,
  unreachable,
} from "../../../src/base/mod.ts";

describe("KodomountError", () => {
  test("keeps code and cause", () => {
    const cause = new Error("below");
    const error = new KodomountError("NoSpace", "The disk is full", { cause });
    expect(error).toBeInstanceOf(Error);
    expect([error.code, error.message, error.cause]).toEqual([
      "NoSpace",
      "The disk is full",
      cause,
    ]);
  });

  test("is retryable only where waiting alone can help", () => {
    const retryable = CODES.filter((code) => new KodomountError(code, "x").retryable);
    expect(retryable).toEqual(["BadReply", "Unavailable", "TimedOut", "Unreachable"]);
  });

  test("no code is there twice", () => {
    expect(new Set(CODES).size).toBe(CODES.length);
  });
});

describe("codeOf()", () => {
  test.each([
    [new KodomountError("Stale", "x"), "Stale"],
    [new Error("x"), "Io"],
    ["text", "Io"],
    [undefined, "Io"],
  ])("of %s is %s", (thrown, code) => {
    expect(codeOf(thrown)).toBe(code);
  });
});

describe("describe()", () => {
  test("joins the messages of an error and its causes", () => {
    const error = new KodomountError("Io", "Cannot write", { cause: new Error("EIO: disk") });
    expect(describeError(error)).toBe("Cannot write: EIO: disk");
  });

  test("says nothing twice, and ends with a chain that does not", () => {
    const loop = new Error("round");
    loop.cause = loop;
    expect(describeError(loop)).toBe("round");
    let deep = new Error("0");
    for (let i = 1; i < 50; i += 1) deep = new Error(String(i), { cause: deep });
    expect(describeError(deep).split(": ").length).toBeLessThanOrEqual(5);
  });

  test("takes what is no error", () => {
    expect(describeError("text")).toBe("text");
    expect(toError(3).message).toBe("3");
  });
});

describe("errnoOf()", () => {
  test("is the name that Node gives system errors, else undefined", () => {
    expect(errnoOf(Object.assign(new Error("x"), { code: "ENOENT" }))).toBe("ENOENT");
    expect(errnoOf(Object.assign(new Error("x"), { code: 5 }))).toBeUndefined();
    expect(errnoOf(new Error("x"))).toBeUndefined();
    expect(errnoOf({ code: "ENOENT" })).toBeUndefined();
  });
});

describe("invariant()", () => {
  test("throws a Programmer error that says what does not hold", () => {
    invariant(true, "fine");
    expect(() => invariant(false, "one is one")).toThrow("Invariant broken: one is one");
    expect(() => unreachable("x" as never)).toThrow(KodomountError);
  });

  test("required() gives the value, or names what is missing", () => {
    expect(required(0, "number")).toBe(0);
    expect(() => required(undefined, "the part")).toThrow("the part is missing");
  });
});

test("groupBy() keeps the order of groups and of items", () => {
  const groups = groupBy([3, 1, 4, 1, 5, 9], (n) => (n % 2 === 0 ? "even" : "odd"));
  expect([...groups]).toEqual([
    ["odd", [3, 1, 1, 5, 9]],
    ["even", [4]],
  ]);
});
