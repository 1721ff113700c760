// The block cache on disk, with the kernel between.

import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { toKey, toSha256 } from "../../src/model/mod.ts";
import type { ObjectStore } from "../../src/store/mod.ts";
import { bucketStore } from "../support/bucket-store.ts";
import { MAIN, start, until } from "../support/mount.ts";
import { emulator, local, mount, mountBeforeEach, why } from "../support/mounted.ts";

const MIB = 1024 * 1024;

/** Little memory, so that what is not fetched again comes from the disk. */
mountBeforeEach("the cache on disk", () => [
  "--cache-dir",
  join(local, "cache"),
  "--cache-size",
  "64M",
  "--read-memory",
  "4M",
]);

let store: ObjectStore;
beforeEach(() => {
  if (why === undefined) store = bucketStore(emulator);
});
afterEach(() => store?.close());

/** As another client does it. */
async function put(key: string, bytes: Buffer) {
  const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
  return store.put({ key: toKey(key), body: { kind: "bytes", bytes }, sha256, metadata: {} });
}

const blocks = (): string => join(local, "cache", "blocks-1");
const fetched = (): number => emulator.requests().filter(({ kind }) => kind === "GetObject").length;

async function cacheFiles(): Promise<string[]> {
  return (await readdir(blocks())).map((name) => join(blocks(), name));
}

/** Bytes that the cache takes. */
async function cached(): Promise<number> {
  const stats = await Promise.all((await cacheFiles()).map((file) => stat(file)));
  return stats.reduce((sum, each) => sum + each.blocks * 512, 0);
}

/** Another process, and nothing in the kernel's cache. */
async function remount(): Promise<void> {
  const { code, stderr } = await mount.unmount();
  expect(stderr + code).toBe("0");
  await mount.start();
}

describe.skipIf(why !== undefined)("the cache on disk", () => {
  test("S7.8 what was read is there after a restart, until the object is another", async () => {
    const content = randomBytes(20 * MIB + 777);
    await put("big", content);
    expect((await readFile(join(mount.dir, "big"))).equals(content)).toBe(true);
    await until("all is kept", async () => (await cached()) >= content.length);
    await remount();
    const before = fetched();
    expect((await readFile(join(mount.dir, "big"))).equals(content)).toBe(true);
    expect(fetched()).toBe(before);
    const other = randomBytes(20 * MIB + 777);
    await put("big", other);
    await until("the new one is seen", async () =>
      (await readFile(join(mount.dir, "big"))).equals(other),
    );
  });

  test("S7.9 what was damaged meanwhile is fetched again, with a line in the log", async () => {
    const content = randomBytes(10 * MIB);
    await put("big", content);
    await readFile(join(mount.dir, "big"));
    await until("all is kept", async () => (await cached()) >= content.length);
    await mount.unmount();
    for (const file of await cacheFiles()) {
      const bytes = await readFile(file);
      bytes.fill(0, 300_000, 300_010);
      await writeFile(file, bytes);
    }
    await mount.start();
    expect((await readFile(join(mount.dir, "big"))).equals(content)).toBe(true);
    expect(await mount.log()).toContain("A file of the cache is not what was written to it");
  });

  test("S7.10 takes no more than it may", async () => {
    const names = ["a", "b", "c"];
    for (const name of names) await put(name, randomBytes(24 * MIB));
    for (const name of names) await readFile(join(mount.dir, name));
    const after = await mount.unmount();
    expect(after.code).toBe(0);
    expect(await cached()).toBeLessThanOrEqual(64 * MIB);
    expect(await cached()).toBeGreaterThan(32 * MIB);
  });

  test("S7.11 is one mount's alone", async () => {
    const dir = join(local, "second");
    await mkdir(dir);
    const args = mount
      .mountArgs()
      .map((arg) =>
        arg === mount.dir ? dir : arg === mount.stateDir ? join(local, "state") : arg,
      );
    const { code, stderr } = await mount.command(args);
    expect(stderr).toMatch(/Cannot use '--cache-dir' .*another mount uses it/);
    expect(code).toBe(2);
  });

  test("S7.13 warm fetches what is named, says what it cannot, and ends with Ctrl-C", async () => {
    const content = randomBytes(9 * MIB + 5);
    await put("models/big", content);
    await put("models/cold", randomBytes(100));
    const refuse = emulator.order({
      kind: "GetObject",
      key: "models/cold",
      fault: { kind: "status", status: 403, code: "InvalidObjectState" },
      count: 100,
    });
    const path = join(mount.dir, "models");
    const warmed = await mount.command(["warm", path]);
    expect(warmed.stderr).toMatch(/^kodomount: Not in the cache: models\/cold is archived/);
    expect(warmed.stdout).toMatch(/\n1 of 2 files \(9\.0 MiB\) in the cache, 9\.0 MiB fetched\n$/);
    expect(warmed.code).toBe(1);
    refuse.cancel();
    const before = fetched();
    expect((await readFile(join(path, "big"))).equals(content)).toBe(true);
    expect(fetched()).toBe(before);
    emulator.order({ kind: "GetObject", fault: { kind: "stall" }, count: 100 });
    const stopped = start(`${process.execPath} ${MAIN} warm ${path}`, mount.env);
    await until("it is asked for", () => fetched() > before);
    stopped.kill("SIGINT");
    expect((await stopped.ended).signal).toBe("SIGINT");
    expect((await mount.unmount()).code).toBe(0);
  });

  test("S7.12 the kernel keeps what it has of a file while the object is the same", async () => {
    const content = randomBytes(20 * MIB);
    await put("big", content);
    await readFile(join(mount.dir, "big"));
    await until("all is kept", async () => (await cached()) >= content.length);
    // What is left has 4 MiB of it at most.
    await rm(blocks(), { recursive: true });
    const before = fetched();
    expect((await readFile(join(mount.dir, "big"))).equals(content)).toBe(true);
    expect(fetched()).toBe(before);
  });
});
