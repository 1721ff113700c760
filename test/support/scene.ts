// One world a test, and what integration tests ask of it all the time.

import { createHash } from "node:crypto";
import { afterEach, expect } from "vitest";
import { toKey, toSha256 } from "../../src/model/mod.ts";
import { Driver } from "./driver.ts";
import { type Running, World } from "./world.ts";

/** The world of the test that runs. */
export let world: World;

/** Call it once in a file: each test then has a world of its own, which ends with it. */
export function endWorldAfterEach(): void {
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });
}

/** A new bucket and a first run on it. */
export async function begin(
  options: Parameters<typeof World.create>[0] = {},
): Promise<{ running: Running; files: Driver }> {
  world = await World.create(options);
  return again();
}

/** Another run on the same bucket and state. */
export async function again(): Promise<{ running: Running; files: Driver }> {
  const running = await world.start();
  return { running, files: new Driver(running.filesystem) };
}

/** Requests of a kind that the bucket has answered with success. */
export function count(kind: string, key?: string): number {
  return world.emulator
    .requests()
    .filter(
      (r) =>
        r.kind === kind &&
        r.status >= 200 &&
        r.status < 300 &&
        (key === undefined || r.key === key),
    ).length;
}

/** Compared as a whole: a matcher that explains the difference of megabytes takes minutes. */
export async function expectInBucket(key: string, content: Buffer): Promise<void> {
  expect((await inBucket(key))?.equals(content), `the content of ${key}`).toBe(true);
}

export async function inBucket(key: string): Promise<Buffer | undefined> {
  const store = world.bucket();
  const head = await store.head(toKey(key));
  return head === undefined ? undefined : (await store.get({ key: toKey(key) })).bytes;
}

/** What another client puts into the bucket. */
export async function putForeign(
  key: string,
  bytes: Buffer,
  metadata: Record<string, string> = {},
  storageClass?: string,
): Promise<void> {
  const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
  const body = { kind: "bytes", bytes } as const;
  await world.bucket().put({ key: toKey(key), body, sha256, metadata, storageClass });
}
