// Named steps: a real process dies by SIGKILL at the step that the environment names, at the count that it names.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { STEPS } from "../../../src/base/mod.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAM = `
import { step } from "./src/base/mod.ts";
step("part.sent"); console.log("one");
step("part.sealed"); console.log("other");
step("part.sent"); console.log("two");
`;

/** What the program got to print, and the signal that ended it. */
function runWith(killAt: string | undefined): { printed: string; signal: string | null } {
  const { KODOMOUNT_KILL_AT: _, ...env } = process.env;
  const { stdout, signal } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", PROGRAM],
    {
      cwd: ROOT,
      encoding: "utf8",
      env: killAt === undefined ? env : { ...env, KODOMOUNT_KILL_AT: killAt },
    },
  );
  return { printed: stdout.trim().replaceAll("\n", " "), signal };
}

describe("step()", () => {
  test.each([
    [undefined, "one other two", null],
    ["part.sent", "", "SIGKILL"],
    ["part.sent:2", "one other", "SIGKILL"],
    ["part.sealed:1", "one", "SIGKILL"],
    ["part.sent:3", "one other two", null],
    ["copy.done", "one other two", null],
  ])("with KODOMOUNT_KILL_AT=%s prints '%s' and ends by %s", (killAt, printed, signal) => {
    expect(runWith(killAt)).toEqual({ printed, signal });
  });

  test("no step is there twice", () => {
    expect(new Set(STEPS).size).toBe(STEPS.length);
  });
});
