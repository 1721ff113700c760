// What `npm test` says in its last line, and what it finds after a run: a gate that counts wrongly is worse than none.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { succeeds } from "../../../scripts/command.ts";
import { clearLeftovers, removeTempDir } from "../../../scripts/leftovers.ts";
import { addTallies, isGood, NOTHING, parseTally, sumLine } from "../../../scripts/tally.ts";

describe("tally", () => {
  test("sumLine() counts, and names skipped ones only where there are some", () => {
    const some = { passed: 3, failed: ["a"], skipped: [] };
    expect(sumLine(some)).toBe("3 passed, 1 failed");
    const more = addTallies(some, { passed: 1, failed: ["b"], skipped: ["c: why"] });
    expect(sumLine(more)).toBe("4 passed, 2 failed, 1 skipped");
  });

  test("isGood() needs something that ran, and nothing that failed", () => {
    expect(isGood({ passed: 1, failed: [], skipped: [] })).toBe(true);
    expect(isGood({ passed: 1, failed: ["a"], skipped: [] })).toBe(false);
    expect(isGood({ passed: 0, failed: [], skipped: ["all"] })).toBe(false);
    expect(isGood(NOTHING)).toBe(false);
  });

  test("parseTally() takes what it should, and nothing else", () => {
    const tally = { passed: 2, failed: ["a"], skipped: [] };
    expect(parseTally(JSON.stringify(tally))).toEqual(tally);
    for (const text of ["", "{}", '{"passed":1,"failed":[1],"skipped":[]}', "null"])
      expect(() => parseTally(text)).toThrow();
  });
});

describe("succeeds()", () => {
  test("is the program's exit code, also when there is no such program", async () => {
    expect(await succeeds(["true"], { timeLimitMs: 5000 })).toBe(true);
    expect(await succeeds(["false"], { timeLimitMs: 5000 })).toBe(false);
    expect(await succeeds(["/none/such"], { timeLimitMs: 5000 })).toBe(false);
  });

  test("kills what takes too long, with all that it has started", async () => {
    const mark = `300.${process.pid}`;
    const line = `sleep ${mark} & sleep ${mark}`;
    expect(await succeeds(["sh", "-c", line], { timeLimitMs: 200 })).toBe(false);
    await expect.poll(() => commandsWith(mark)).toEqual([]);
  });
});

/** Command lines of the machine that have this text in them. */
async function commandsWith(text: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    // Empty where a process has ended meanwhile.
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.filter((line) => line.includes(text));
}

describe("clearLeftovers()", () => {
  const name = "KODOMOUNT_TEST_MARK";
  const children: ChildProcess[] = [];
  let tempDir: string;

  beforeEach(async () => {
    tempDir = await mkdtemp(join(tmpdir(), "kodomount-gate-"));
  });

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await rm(tempDir, { recursive: true, force: true });
  });

  async function sleeper(mark: string): Promise<ChildProcess> {
    const child = spawn("sleep", ["300"], {
      stdio: "ignore",
      env: { ...process.env, [name]: mark },
    });
    children.push(child);
    await once(child, "spawn");
    return child;
  }

  test("finds nothing after a run that cleaned up, caches of tools aside", async () => {
    await mkdir(join(tempDir, "tsx-0"));
    const run = { tempDir, mark: `${name}=none` };
    expect(await clearLeftovers(run)).toEqual([]);
    await removeTempDir(run);
    await expect(readdir(tempDir)).rejects.toThrow("ENOENT");
  });

  test("names and removes files and processes of the run, and spares those of others", async () => {
    const ours = await sleeper("ours");
    const others = await sleeper("others");
    await writeFile(join(tempDir, "kodomount-x"), "left");
    const ended = once(ours, "exit");
    const found = await clearLeftovers({ tempDir, mark: `${name}=ours` });
    expect(found).toEqual([
      `process ${ours.pid} (sleep 300)`,
      `temporary ${join(tempDir, "kodomount-x")}`,
    ]);
    await ended;
    expect(others.exitCode).toBeNull();
    expect(others.signalCode).toBeNull();
    expect(await readdir(tempDir)).toEqual([]);
  });
});
