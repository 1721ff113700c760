// What a store, or what stands before it, may answer wrong or not at all, with the kernel between.

import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OrderRequest } from "../../src/emulator/mod.ts";
import { toKey, toSha256 } from "../../src/model/mod.ts";
import type { ObjectStore } from "../../src/store/mod.ts";
import { bucketStore } from "../support/bucket-store.ts";
import { type Output, run, start, until } from "../support/mount.ts";
import { emulator, mount, mountBeforeEach, why } from "../support/mounted.ts";

type Fault = OrderRequest["fault"];

mountBeforeEach("bad answers");

let store: ObjectStore;

beforeEach(() => {
  if (why !== undefined) return;
  store = bucketStore(emulator);
});
afterEach(() => store?.close());

/** As another client does it. */
async function put(key: string, bytes: Buffer): Promise<void> {
  const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
  await store.put({ key: toKey(key), body: { kind: "bytes", bytes }, sha256, metadata: {} });
}

const at = (name: string): string => join(mount.dir, name);
const cat = (name: string): Promise<Output> => run("cat", [at(name)]);

/** Lines of the log that an operator sees and that name `key`. */
async function warnings(key: string): Promise<string[]> {
  const lines = (await mount.log()).split("\n").filter((line) => line !== "");
  const parsed = lines.map((line) => JSON.parse(line) as { level: number; msg: string });
  return parsed.filter(({ level, msg }) => level >= 40 && msg.includes(key)).map(({ msg }) => msg);
}

const ALWAYS = Number.POSITIVE_INFINITY;
/** What is refused: the fault of every GET, what the program is told, and what the operator. */
const REFUSED: readonly (readonly [string, Fault, RegExp, RegExp])[] = [
  ["unreadable", { kind: "status", status: 403 }, /Permission denied/, /must allow GetObject/],
  [
    "archived",
    { kind: "status", status: 403, code: "InvalidObjectState" },
    /Permission denied/,
    /'kodomount restore PATH'/,
  ],
  ["whole", { kind: "odd-reply", how: "whole" }, /Input\/output error/, /with the whole object/],
  ["moved", { kind: "odd-reply", how: "other-range" }, /Input\/output error/, /a proxy before it/],
  ["longer", { kind: "odd-reply", how: "longer" }, /Input\/output error/, /a proxy before it/],
  ["version", { kind: "odd-reply", how: "other-etag" }, /Stale file handle/, /another client/],
];

/** What passes: the fault of the first GETs. */
const PASSING: readonly (readonly [string, Fault])[] = [
  ["overloaded", { kind: "status", status: 503 }],
  ["failing", { kind: "status", status: 500 }],
  ["reset-before", { kind: "reset" }],
  ["reset-within", { kind: "reset", afterBytes: 100_000 }],
  ["reset-after", { kind: "lost-reply" }],
  ["slow", { kind: "slow", delayMs: 300 }],
  ["stalled", { kind: "stall", afterBytes: 200_000 }],
  ["truncated", { kind: "truncated", afterBytes: 70_000 }],
  ["moved-once", { kind: "odd-reply", how: "other-range" }],
  ["no-store", { kind: "odd-reply", how: "garbage" }],
];

/** The same of listings. */
const LISTED: readonly (readonly [string, Fault])[] = [
  ["overloaded", { kind: "status", status: 503 }],
  ["failing", { kind: "status", status: 500 }],
  ["reset", { kind: "reset" }],
  ["lost", { kind: "lost-reply" }],
  ["somebody-else", { kind: "odd-reply", how: "garbage" }],
];

describe.skipIf(why !== undefined)("bad answers", () => {
  test("S7.20 a GET that is refused, or answered with other bytes than were asked for, is an errno and one line in the log that names the key", async () => {
    // Longer than what one request brings: a range that is the whole object may be answered with it.
    const content = randomBytes(3_000_000);
    for (const [name, fault] of REFUSED) {
      await put(name, content);
      emulator.order({ kind: "GetObject", key: name, fault, count: ALWAYS });
    }
    const outputs = await Promise.all(REFUSED.map(([name]) => cat(name)));
    const unanswered = { code: undefined, stdout: "", stderr: "" };
    for (const [index, [name, , told, logged]] of REFUSED.entries()) {
      const { code, stdout, stderr } = outputs[index] ?? unanswered;
      expect([name, code, stdout.length]).toEqual([name, 1, 0]);
      expect(stderr).toMatch(told);
      expect(await warnings(name)).toEqual([expect.stringMatching(logged)]);
    }
  });

  test("S7.20 a GET that fails for a while, however, gives the right bytes", async () => {
    const content = randomBytes(3_000_000);
    for (const [name, fault] of PASSING) {
      await put(name, content);
      emulator.order({ kind: "GetObject", key: name, fault, count: 2 });
    }
    // Not by this process: reads that wait take the threads that its emulator needs.
    const { stdout } = await run("bash", [
      "-c",
      `cd ${mount.dir}; printf '%s\\0' * | xargs -0 -P 16 -n 1 sha256sum`,
    ]);
    const sums = new Set(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.slice(0, 64)),
    );
    expect(stdout.trim().split("\n")).toHaveLength(PASSING.length);
    expect([...sums]).toEqual([createHash("sha256").update(content).digest("hex")]);
    expect(emulator.orders().map(({ fired }) => fired > 0)).not.toContain(false);
  });

  test("S7.20 a GET that is refused in the middle of a file ends the read there, with what came before", async () => {
    const content = randomBytes(9_000_000);
    await put("half", content);
    emulator.order({
      kind: "GetObject",
      key: "half",
      fault: { kind: "status", status: 403 },
      skip: 2,
      count: ALWAYS,
    });
    const { code, stdout, stderr } = await run("bash", [
      "-c",
      `cat ${at("half")} | sha256sum | cut -c1-64; cat ${at("half")} 2>/dev/null | wc -c`,
    ]);
    const [sum, size] = stdout.trim().split("\n");
    const before = content.subarray(0, Number(size));
    expect([code, sum]).toEqual([0, createHash("sha256").update(before).digest("hex")]);
    expect(before.length).toBeLessThan(content.length);
    expect(stderr).toMatch(/Permission denied/);
  });

  test("S7.20 an object that the keys may not look at is shown as its listing has it", async () => {
    await put("d/hidden", Buffer.alloc(1234));
    emulator.order({
      kind: "HeadObject",
      key: "d/hidden",
      fault: { kind: "status", status: 403 },
      count: ALWAYS,
    });
    const { code, stdout, stderr } = await run("ls", ["-l", at("d")]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/ 1234 .* hidden/);
    expect(await warnings("d/hidden")).toEqual([expect.stringMatching(/policy allows GetObject/)]);
  });

  test("S7.7 a listing that fails for a while, however, is whole", async () => {
    for (const [name, fault] of LISTED) {
      for (const file of ["a", "b", "c"]) await put(`${name}/${file}`, Buffer.from(file));
      emulator.order({ kind: "ListObjectsV2", prefix: `${name}/`, fault, count: 3 });
    }
    for (const [name] of LISTED)
      expect([name, (await run("ls", [at(name)])).stdout]).toEqual([name, "a\nb\nc\n"]);
    expect(emulator.orders().map(({ fired }) => fired)).toEqual(LISTED.map(() => 3));
  });

  test("S7.7 a listing that repeats its token is an error, with a line that names the directory", async () => {
    await put("loop/a", Buffer.from("a"));
    emulator.order({
      kind: "ListObjectsV2",
      fault: { kind: "odd-reply", how: "same-token" },
      count: ALWAYS,
    });
    const { code, stderr } = await run("ls", ["-f", mount.dir]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/Input\/output error/);
    expect(await warnings("in a circle")).toHaveLength(1);
  });

  test("S4.3 who waits for a listing that never comes ends with Ctrl-C", async () => {
    emulator.order({ kind: "ListObjectsV2", fault: { kind: "stall" }, count: ALWAYS });
    const waiting = start(`ls ${at("dir")}`, {});
    await until("the store is asked", () =>
      emulator.requests().some(({ kind, fault }) => kind === "ListObjectsV2" && fault === "stall"),
    );
    waiting.kill("SIGINT");
    expect((await waiting.ended).signal).toBe("SIGINT");
  });
});
