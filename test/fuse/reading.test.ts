// Reading what other clients have put into the bucket, with the kernel between.

import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { toKey, toSha256 } from "../../src/model/mod.ts";
import type { ObjectStore } from "../../src/store/mod.ts";
import { bucketStore } from "../support/bucket-store.ts";
import { run, sh, until } from "../support/mount.ts";
import { emulator, mount, mountBeforeEach, python, why } from "../support/mounted.ts";

const MIB = 1024 * 1024;

mountBeforeEach("reading", ["--log", "debug"]);

let store: ObjectStore;

beforeEach(() => {
  if (why !== undefined) return;
  store = bucketStore(emulator);
});
afterEach(() => store?.close());

/** As another client does it. */
async function put(key: string, bytes: Buffer, metadata: Record<string, string> = {}) {
  const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
  return store.put({ key: toKey(key), body: { kind: "bytes", bytes }, sha256, metadata });
}

async function putMany(directory: string, count: number, metadata: Record<string, string> = {}) {
  const names = Array.from({ length: count }, (_, index) => `f${String(index).padStart(5, "0")}`);
  for (let at = 0; at < count; at += 16)
    await Promise.all(
      names
        .slice(at, at + 16)
        .map((name, index) =>
          put(`${directory}/${name}`, Buffer.alloc((at + index) % 100), metadata),
        ),
    );
  return names;
}

const countOf = (kind: string): number =>
  emulator.requests().filter((entry) => entry.kind === kind).length;

describe.skipIf(why !== undefined)("reading", () => {
  test("S7.4 goes on behind the last byte when a GET breaks off", async () => {
    const content = randomBytes(20 * MIB);
    await put("big", content);
    const order = emulator.order({
      kind: "GetObject",
      fault: { kind: "reset", afterBytes: 300_000 },
      count: 8,
    });
    expect((await readFile(join(mount.dir, "big"))).equals(content)).toBe(true);
    expect(order.fired).toBe(8);
  });

  test("S4.3 a reader that waits for a store that says nothing ends at once with its signal", async () => {
    await put("big", randomBytes(4 * MIB));
    emulator.order({ kind: "GetObject", fault: { kind: "stall" }, count: 100 });
    const { code } = await run("timeout", ["-s", "INT", "1", "cat", join(mount.dir, "big")], {
      timeoutMs: 8000,
    });
    expect(code).toBe(124);
  });

  test("S7.1 shows one version, or ESTALE: never a mixture", async () => {
    const versions = Array.from({ length: 8 }, (_, index) => Buffer.alloc(12 * MIB, 65 + index));
    await put("changing", versions[0] ?? Buffer.alloc(0));
    let isDone = false;
    const replacing = (async () => {
      for (let turn = 1; !isDone; turn += 1)
        await put("changing", versions[turn % versions.length] ?? Buffer.alloc(0));
    })();
    const seen = await python(`
import errno
whole = stale = 0
while whole + stale < 30:
    try:
        with open(d + "/changing", "rb", buffering=0) as f:
            content = b""
            while True:
                piece = f.read(700_001)
                if not piece: break
                content += piece
        assert len(content) == 12 * 1024 * 1024, len(content)
        assert len(set(content)) == 1, "a mixture"
        whole += 1
    except OSError as e:
        assert e.errno == errno.ESTALE, e
        stale += 1
print(whole, stale)
`).finally(() => {
      isDone = true;
    });
    await replacing;
    expect(seen).toMatch(/^\d+ \d+\n$/);
  });

  test("the thread that reads is there before anybody has read", async () => {
    await until("it runs", async () => (await mount.log()).includes("Ready to read"));
    expect(countOf("GetObject")).toBe(0);
  });

  test("S7.5 a directory of many pages is listed without a HEAD for each, and shown with the times of the listing", async () => {
    const names = await putMany("large", 2500);
    const before = { list: countOf("ListObjectsV2"), head: countOf("HeadObject") };
    const lines = (await sh(`ls -l --time-style=+%s ${mount.dir}/large`))
      .trim()
      .split("\n")
      .slice(1);
    expect(lines.map((line) => line.split(/\s+/).at(-1))).toEqual(names);
    expect(lines.map((line) => Number(line.split(/\s+/)[4]))).toEqual(
      names.map((_, index) => index % 100),
    );
    const made = lines.map((line) => Date.now() / 1000 - Number(line.split(/\s+/)[5]));
    expect(Math.max(...made)).toBeLessThan(300);
    expect(countOf("HeadObject") - before.head).toBeLessThan(100);
    expect(countOf("ListObjectsV2") - before.list).toBeLessThan(10);
  });

  test("S7.5 in a directory of one page modes and times are those of the metadata, asked for once", async () => {
    await putMany("small", 60, { mode: String(0o100754), mtime: "1500000000" });
    const before = countOf("HeadObject");
    const list = `find ${mount.dir}/small -type f -printf '%M %Ts\\n' | sort | uniq -c`;
    expect((await sh(list)).trim()).toBe("60 -rwxr-xr-- 1500000000");
    const asked = countOf("HeadObject") - before;
    expect(asked).toBeLessThan(80);
    await sh(list);
    expect(countOf("HeadObject") - before).toBe(asked);
  });

  test("S7.6 what another client writes, replaces and removes shows within the time to live", async () => {
    await put("dir/one", Buffer.from("first"));
    expect(await sh(`cat ${mount.dir}/dir/one; ls ${mount.dir}/dir`)).toBe("firstone\n");
    await put("dir/one", Buffer.from("second"));
    await put("dir/two", Buffer.from("new"));
    await expect
      .poll(() => sh(`cat ${mount.dir}/dir/one; ls ${mount.dir}/dir`))
      .toBe("secondone\ntwo\n");
    await store.delete(toKey("dir/one"));
    await expect.poll(() => sh(`ls ${mount.dir}/dir`)).toBe("two\n");
  });

  test("S7.7 a listing that fails is an error, not a short directory", async () => {
    await putMany("broken", 1500);
    emulator.order({
      kind: "ListObjectsV2",
      fault: { kind: "status", status: 403, code: "AccessDenied" },
      skip: 1,
      count: 100,
    });
    const { code, stderr } = await run("ls", ["-f", join(mount.dir, "broken")]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/Permission denied/);
  });
});
