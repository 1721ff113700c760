// Content from a CDN before the bucket, with the kernel between.

import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { toKey, toSha256 } from "../../src/model/mod.ts";
import { bucketStore } from "../support/bucket-store.ts";
import { Cdn } from "../support/cdn.ts";
import { until } from "../support/mount.ts";
import { emulator, mount, mountBeforeEach, why } from "../support/mounted.ts";

const MIB = 1024 * 1024;

let cdn: Cdn;

mountBeforeEach("the read endpoint", async () => {
  cdn = await Cdn.start(emulator);
  return ["--read-endpoint", cdn.url];
});
afterEach(async () => cdn?.[Symbol.asyncDispose]());

/** As another client does it. */
async function put(key: string, bytes: Buffer): Promise<void> {
  using store = bucketStore(emulator);
  const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
  await store.put({ key: toKey(key), body: { kind: "bytes", bytes }, sha256, metadata: {} });
}

const read = (key: string): Promise<Buffer> => readFile(join(mount.dir, key));
const askedStore = (): number =>
  emulator.requests().filter(({ kind }) => kind === "GetObject").length;

describe.skipIf(why !== undefined)("the read endpoint", () => {
  test("S7.14 gives the content, and what it has of an older version is never shown", async () => {
    const old = randomBytes(5 * MIB);
    await put("a b/模型+1", old);
    expect((await read("a b/模型+1")).equals(old)).toBe(true);
    // The CDN's own fetch.
    expect(askedStore()).toBe(1);
    const asked = cdn.requests.length;
    expect(asked).toBeGreaterThan(0);
    const content = randomBytes(5 * MIB);
    await put("a b/模型+1", content);
    await until("the new version is seen", async () => (await read("a b/模型+1")).equals(content));
    expect(await mount.log()).toContain("The read endpoint does not give what the bucket has");
    expect(cdn.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  test("S7.14 when it does not answer the store does, with one line in the log", async () => {
    cdn.isDown = true;
    const content = randomBytes(20 * MIB);
    await put("big", content);
    expect((await read("big")).equals(content)).toBe(true);
    const lines = (await mount.log()).split("\n").filter((line) => line.includes("read endpoint"));
    expect(lines).toHaveLength(1);
  });
});
