// No word in the tree that must not be there.

import { describe, expect, test } from "vitest";
import { filesBelow } from "./tree.ts";
import { bannedWords } from "./words.ts";

/** Binary, or written by tools. */
const OTHERS = /(^|\/)(package-lock\.json|LICENSE)$|\.(png|tsbuildinfo)$/;

const join = (...parts: string[]): string => parts.join("");

describe("words", () => {
  test("nothing in the tree has a banned word", () => {
    const files = filesBelow(["."], /./).filter(({ path }) => !OTHERS.test(path));
    expect(files.flatMap(bannedWords)).toEqual([]);
  });

  test.each([
    ["test/x.test.ts", join("test.", "only(1)")],
    ["src/x.ts", join("// FIX", "ME later")],
    ["docs/x.md", join("TO", "DO: more")],
    ["src/x.ts", join("const t = Date", ".now();")],
    ["src/x.ts", join("set", "Timeout(f, 1);")],
    ["scripts/x.ts", join("set", "Interval(f, 1);")],
    ["src/x.ts", join("Math", ".random()")],
    ["src/x.ts", join('import { s } from "node:', 'timers/promises"')],
    ["README.md", join("see .", "./shared/x")],
    [".ci/run", join("cd /wo", "rk/main")],
    ["src/x.ts", join("far", "m-7")],
  ])("finds what is wrong in %s: %s", (path, text) => {
    expect(bannedWords({ path, text })).toHaveLength(1);
  });

  test.each([
    ["src/base/clock.ts", join("Date", ".now()")],
    ["src/x.ts", join("// TO", "DO(#12): later")],
    ["src/x.ts", join("socket.set", "Timeout(1000);")],
    ["src/x.ts", "see ../network/x and framework/y"],
  ])("lets pass in %s: %s", (path, text) => {
    expect(bannedWords({ path, text })).toEqual([]);
  });
});
