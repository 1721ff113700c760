// `--persist-attributes=copy`: attributes that change late reach the object's metadata, by one copy of it onto itself.

import { rm } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { nextTurn } from "../../src/base/mod.ts";
import { fromMetadata, toKey } from "../../src/model/mod.ts";
import type { Driver } from "../support/driver.ts";
import {
  again,
  begin,
  count,
  endWorldAfterEach,
  expectInBucket,
  putForeign,
  world,
} from "../support/scene.ts";
import { drained, type Running, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;
const SLOW = { kind: "slow", delayMs: 1500 } as const;

endWorldAfterEach();

interface Scene {
  running: Running;
  files: Driver;
}

/** An object of `size` bytes in the bucket, as this mount has made it. */
async function committed(
  size = 3 * MIB,
  options: Parameters<typeof begin>[0] = {},
): Promise<Scene & { content: Buffer }> {
  const scene = await begin({ persistAttributes: true, ...options });
  const content = randomContent(size);
  await scene.files.save("a", content);
  await drained(scene.running);
  return { ...scene, content };
}

async function chmod({ running, files }: Scene, path: string, mode: number): Promise<void> {
  await running.filesystem.setattr(request(), await files.ino(path), { mode });
}

/** Wants its attributes in the bucket at once, and waits until the request for it is under way. */
async function copying(scene: Scene): Promise<void> {
  const before = await inMetadata("a");
  // The copy is made, but nobody hears of it until the request has come again.
  world.emulator.order({ kind: "CopyObject", fault: { kind: "lost-reply" }, count: 1 });
  world.emulator.order({ kind: "CopyObject", fault: SLOW, count: 1 });
  await chmod(scene, "a", before.mode === 0o100644 ? 0o600 : 0o644);
  scene.running.publisher.hurry();
  await expect.poll(() => inMetadata("a")).not.toEqual(before);
  expect(scene.running.publisher.find(toKey("a"))?.isCopying).toBe(true);
}

async function inMetadata(key: string): Promise<ReturnType<typeof fromMetadata>> {
  return fromMetadata((await world.bucket().head(toKey(key)))?.metadata ?? {});
}

describe("--persist-attributes=copy", () => {
  test("S6.8 mode, owner, times and xattrs of what is in the bucket: one copy, and another machine sees them", async () => {
    const { running, files, content } = await committed();
    const ino = await files.ino("a");
    await running.filesystem.setattr(request(), ino, { mode: 0o640 });
    await running.filesystem.setattr(request(), ino, { uid: 12, gid: 34, mtimeMs: 1_000_000_000 });
    const value = { bytes: Buffer.from("1"), mode: "set" } as const;
    await running.filesystem.setxattr(request(), ino, Buffer.from("user.x"), value);
    expect(running.publisher.pending()).toMatchObject([{ path: "a", state: "attributes" }]);
    await drained(running);
    expect(count("CopyObject", "a")).toBe(1);
    await running.stop();
    await rm(world.stateDir, { recursive: true });
    const other = await again();
    expect(await other.files.stat("a")).toMatchObject({
      ...{ mode: 0o100640, uid: 12, gid: 34, mtimeMs: 1_000_000_000 },
      xattrs: { "user.x": Buffer.from("1").toString("base64") },
    });
    expect((await other.files.read("a")).equals(content)).toBe(true);
  });

  test("S6.8 attributes that are set while a file is sent reach it after its commit; those known before cost nothing", async () => {
    const { running, files } = await begin({ persistAttributes: true });
    const handle = await files.create("late");
    await files.write(handle, 0, randomContent(3 * MIB));
    await expect.poll(() => count("UploadPart", "late")).toBeGreaterThan(0);
    await running.filesystem.setattr(request(), await files.ino("late"), { mtimeMs: 5000 });
    await files.close(handle);
    await files.save("known", Buffer.from("small"));
    await running.filesystem.setattr(request(), await files.ino("known"), { mtimeMs: 6000 });
    await drained(running);
    expect((await inMetadata("late")).mtimeMs).toBe(5000);
    expect((await inMetadata("known")).mtimeMs).toBe(6000);
    expect([count("CopyObject", "late"), count("CopyObject")]).toEqual([1, 1]);
  });

  test("S6.8 what is set to what it is already copies nothing", async () => {
    const scene = await committed();
    const { mode } = await scene.files.stat("a");
    await chmod(scene, "a", mode);
    await drained(scene.running);
    expect(count("CopyObject")).toBe(0);
  });

  test("S6.8 an object larger than one copy takes is copied by parts", async () => {
    const scene = await committed(3 * MIB, { copySizeMax: 2 * MIB });
    await chmod(scene, "a", 0o600);
    await drained(scene.running);
    expect((await inMetadata("a")).mode).toBe(0o100600);
    expect([count("CopyObject"), count("UploadPartCopy")]).toEqual([0, 2]);
    await expectInBucket("a", scene.content);
    expect((await scene.files.read("a")).equals(scene.content)).toBe(true);
  });

  test("S6.8 an object that another client has written meanwhile is left as it is", async () => {
    const scene = await committed();
    await chmod(scene, "a", 0o600);
    const theirs = randomContent(MIB);
    await putForeign("a", theirs, { mode: "33188" });
    await drained(scene.running);
    expect(count("CopyObject")).toBe(0);
    await expectInBucket("a", theirs);
    expect((await inMetadata("a")).mode).toBe(0o100644);
  });

  test("a crash behind the copy is settled by HEAD: it is not made again", async () => {
    const scene = await committed();
    world.emulator.order({ kind: "CopyObject", fault: { kind: "lost-reply" }, count: 1 });
    world.emulator.order({
      kind: "CopyObject",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1_000_000,
    });
    await chmod(scene, "a", 0o600);
    scene.running.publisher.hurry();
    await expect.poll(async () => (await inMetadata("a")).mode).toBe(0o100600);
    await scene.running.stop();
    const copies = world.emulator.requests().filter(({ kind }) => kind === "CopyObject").length;
    const second = await again();
    await drained(second.running);
    expect(world.emulator.requests().filter(({ kind }) => kind === "CopyObject").length).toBe(
      copies,
    );
    expect(await second.files.stat("a")).toMatchObject({ mode: 0o100600 });
    const { etag } = (await world.bucket().head(toKey("a"))) ?? {};
    expect(await second.running.catalog.findObject(toKey("a"))).toMatchObject({ etag });
    expect((await second.running.catalog.findObject(toKey("a")))?.parts.length).toBe(3);
  });

  test("after a chmod of many files a few are copied at a time, and all in the end", async () => {
    const scene = await begin({ persistAttributes: true });
    const names = Array.from({ length: 30 }, (_, index) => `f${index}`);
    for (const name of names) await scene.files.save(name, Buffer.from(name));
    await drained(scene.running);
    world.emulator.order({ kind: "CopyObject", fault: { kind: "slow", delayMs: 50 }, count: 30 });
    for (const name of names) await chmod(scene, name, 0o600);
    let most = 0;
    const draining = drained(scene.running);
    for (let isDone = false; !isDone; ) {
      const at = [...scene.running.publisher.below(toKey(""))].filter((slot) => slot.isCopying);
      most = Math.max(most, at.length);
      isDone = await Promise.race([draining.then(() => true), nextTurn().then(() => false)]);
    }
    expect(most).toBeLessThanOrEqual(8);
    expect(count("CopyObject")).toBe(30);
    for (const name of names) expect((await inMetadata(name)).mode).toBe(0o100600);
  });

  test("a store that refuses the copy for good keeps them in the catalog", async () => {
    const scene = await committed();
    world.emulator.order({
      kind: "CopyObject",
      fault: { kind: "status", status: 403, code: "AccessDenied" },
      count: 1_000_000,
    });
    await chmod(scene, "a", 0o600);
    await drained(scene.running);
    expect((await scene.files.stat("a")).mode).toBe(0o100600);
    await expectInBucket("a", scene.content);
  });
});

describe("while the copy is under way", () => {
  test("who has the file open reads on, and sees no ESTALE", async () => {
    const scene = await committed();
    const { running, files, content } = scene;
    const handle = await files.open("a", { write: false });
    await running.filesystem.read(request(), handle, 0, 4096);
    await copying(scene);
    const [at, length] = [2 * MIB, 4096];
    const bytes = Buffer.from(await running.filesystem.read(request(), handle, at, length));
    await drained(running);
    const later = Buffer.from(await running.filesystem.read(request(), handle, MIB, length));
    await running.filesystem.release(handle);
    expect(bytes.equals(content.subarray(at, at + length))).toBe(true);
    expect(later.equals(content.subarray(MIB, MIB + length))).toBe(true);
  });

  test("a writer waits for it and changes the version that it makes", async () => {
    const scene = await committed();
    await copying(scene);
    const handle = await scene.files.open("a");
    await scene.files.write(handle, 0, Buffer.from("new"));
    expect(scene.running.publisher.find(toKey("a"))?.isCopying).toBe(false);
    await scene.files.close(handle);
    await drained(scene.running);
    const expected = Buffer.from(scene.content);
    expected.write("new");
    await expectInBucket("a", expected);
    expect((await inMetadata("a")).mode).toBe(0o100600);
    expect(count("UploadPartCopy")).toBe(2);
  });

  test("a rename and a removal wait for it, and take what it has made", async () => {
    const scene = await committed();
    await copying(scene);
    await scene.files.rename("a", "b");
    await drained(scene.running);
    expect((await inMetadata("b")).mode).toBe(0o100600);
    await expectInBucket("b", scene.content);
    expect(await scene.files.list("")).toEqual(["b"]);
    await scene.files.rename("b", "a");
    await drained(scene.running);
    await copying(scene);
    await scene.files.unlink("a");
    await drained(scene.running);
    expect(world.emulator.objects("bucket")).toEqual([]);
  });

  test("attributes that are changed once more are copied once more", async () => {
    const scene = await committed();
    await copying(scene);
    await chmod(scene, "a", 0o640);
    await drained(scene.running);
    expect((await inMetadata("a")).mode).toBe(0o100640);
    expect((await scene.files.stat("a")).mode).toBe(0o100640);
    expect(count("CopyObject")).toBeGreaterThanOrEqual(1);
  });

  test("a new save of the file supersedes what only waits", async () => {
    const scene = await committed();
    await chmod(scene, "a", 0o600);
    const content = randomContent(2 * MIB);
    await scene.files.save("a", content);
    await drained(scene.running);
    expect(count("CopyObject")).toBe(0);
    await expectInBucket("a", content);
    expect((await inMetadata("a")).mode).toBe(0o100600);
  });
});
