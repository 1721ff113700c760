// How a save becomes an object: what is sent, what is not sent again, and what is visible when.

import { afterEach, describe, expect, test } from "vitest";
import { toKey } from "../../src/model/mod.ts";
import { Driver } from "../support/driver.ts";
import {
  drained,
  LIVE_CLOSE,
  type Running,
  randomContent,
  request,
  World,
} from "../support/world.ts";

const MIB = 1024 * 1024;

let world: World;

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function begin(
  options: Parameters<typeof World.create>[0] = {},
): Promise<{ running: Running; files: Driver }> {
  world = await World.create(options);
  return again();
}

async function again(): Promise<{ running: Running; files: Driver }> {
  const running = await world.start();
  return { running, files: new Driver(running.filesystem) };
}

/** Requests of a kind that the bucket has answered with success. */
function count(kind: string, key?: string): number {
  return world.emulator
    .requests()
    .filter((r) => r.kind === kind && r.status < 300 && (key === undefined || r.key === key))
    .length;
}

/** Compared as a whole: a matcher that explains the difference of megabytes takes minutes. */
async function expectInBucket(key: string, content: Buffer): Promise<void> {
  expect((await inBucket(key))?.equals(content), `the content of ${key}`).toBe(true);
}

async function inBucket(key: string): Promise<Buffer | undefined> {
  const store = world.bucket();
  const head = await store.head(toKey(key));
  return head === undefined ? undefined : (await store.get({ key: toKey(key) })).bytes;
}

describe("a save of one part or less", () => {
  test("S2.2 close returns before it is in the bucket, and it is there soon after, in one PutObject", async () => {
    const { running, files } = await begin();
    const content = randomContent(1000);
    await files.save("a.txt", content);
    await drained(running);
    await expectInBucket("a.txt", content);
    expect(count("PutObject", "a.txt")).toBe(1);
    expect(count("CreateMultipartUpload")).toBe(0);
  });

  test("S2.3 with --close=strict it is in the bucket when close returns", async () => {
    const { files } = await begin({ closeMode: "strict" });
    const content = randomContent(1000);
    await files.save("a.txt", content);
    await expectInBucket("a.txt", content);
  });

  test("an empty file becomes an empty object at its last release", async () => {
    const { running, files } = await begin();
    await files.save("empty", Buffer.alloc(0));
    await drained(running);
    expect((await inBucket("empty"))?.length).toBe(0);
  });

  test("mode, owner and mtime are in the object's metadata", async () => {
    const { running, files } = await begin();
    const handle = await files.create("a", 0o640);
    await files.write(handle, 0, Buffer.from("x"));
    await running.filesystem.setattr(request(), await files.ino("a"), {
      mtimeMs: 1_600_000_000_123,
      uid: 7,
    });
    await files.close(handle);
    await drained(running);
    const head = await world.bucket().head(toKey("a"));
    expect(head?.metadata).toMatchObject({
      mode: String(0o100640),
      uid: "7",
      mtime: "1600000000.123000000",
    });
  });
});

describe("a save of several parts", () => {
  test("S2.1 close returns when it is complete in the bucket; each part was sent once, part 1 last", async () => {
    const { files } = await begin();
    const content = randomContent(5 * MIB + 123);
    await files.save("big", content);
    await expectInBucket("big", content);
    const parts = world.emulator
      .requests()
      .filter(({ kind }) => kind === "UploadPart")
      .map(({ partNumber }) => partNumber);
    expect([...parts].sort((a = 0, b = 0) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(parts.at(-1)).toBe(1);
  });

  test("parts go out while the file is being written", async () => {
    const { files } = await begin();
    const handle = await files.create("big");
    await files.write(handle, 0, randomContent(4 * MIB));
    await expect.poll(() => count("UploadPart"), { timeout: 10_000 }).toBe(2);
    expect(await inBucket("big")).toBeUndefined();
    await files.close(handle);
  });

  test("a header patched at the end costs nothing; a part rewritten late is sent once more", async () => {
    const { files } = await begin();
    const content = randomContent(4 * MIB);
    const handle = await files.create("big");
    await files.write(handle, 0, content);
    await expect.poll(() => count("UploadPart"), { timeout: 10_000 }).toBe(2);
    content.fill(7, 10, 20);
    await files.write(handle, 10, content.subarray(10, 20));
    content.fill(8, MIB + 5, MIB + 9);
    await files.write(handle, MIB + 5, content.subarray(MIB + 5, MIB + 9));
    await files.close(handle);
    await expectInBucket("big", content);
    expect(count("UploadPart")).toBe(5);
  });

  test("S3.1 after a crash in the middle the same save again sends only what the store does not have", async () => {
    const { running, files } = await begin();
    const content = randomContent(6 * MIB);
    const handle = await files.create("big");
    await files.write(handle, 0, content.subarray(0, 4 * MIB));
    await expect
      .poll(() => running.publisher.pending()[0]?.partsAcknowledged, { timeout: 10_000 })
      .toBe(2);
    await running.stop(); // nothing of the open file is closed: as after a kill
    const second = await again();
    expect(second.running.publisher.pending().map(({ state }) => state)).toEqual(["interrupted"]);
    expect(await second.files.list("")).toEqual([]);
    await second.files.save("big", content);
    await expectInBucket("big", content);
    expect(count("UploadPart")).toBe(6);
    expect(count("CreateMultipartUpload")).toBe(1);
  });

  test("S3.2 what was closed before a crash is published by the next start alone", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const content = randomContent(3 * MIB);
    world.emulator.order({
      kind: "CreateMultipartUpload",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1_000_000,
    });
    await files.save("big", content);
    await running.stop();
    for (const order of world.emulator.orders()) order.cancel();
    const second = await again();
    await drained(second.running);
    await expectInBucket("big", content);
  });

  test("an upload that the store has forgotten is begun anew from the spill", async () => {
    const { files } = await begin();
    const content = randomContent(4 * MIB);
    const handle = await files.create("big");
    await files.write(handle, 0, content);
    await expect.poll(() => count("UploadPart"), { timeout: 10_000 }).toBe(2);
    world.emulator.order({ kind: "UploadPart", fault: { kind: "no-such-upload" }, count: 1 });
    await files.close(handle);
    await expectInBucket("big", content);
  });

  test("a reply of Complete that is lost is settled by a look, not by sending again", async () => {
    const { files } = await begin();
    const content = randomContent(3 * MIB);
    world.emulator.order({
      kind: "CompleteMultipartUpload",
      fault: { kind: "lost-reply" },
      count: 1,
    });
    await files.save("big", content);
    await expectInBucket("big", content);
    expect(count("UploadPart")).toBe(3);
  });

  test("refused for good: the next write says so, and the close; nothing becomes visible", async () => {
    const { files } = await begin();
    world.emulator.order({
      kind: "CreateMultipartUpload",
      fault: { kind: "status", status: 403, code: "AccessDenied" },
      count: 1_000_000,
    });
    const handle = await files.create("big");
    await files.write(handle, 0, randomContent(3 * MIB));
    await expect(files.close(handle)).rejects.toMatchObject({ code: "AccessDenied" });
    expect(await inBucket("big")).toBeUndefined();
  });
});

describe("overwriting and appending", () => {
  test("a file saved over its predecessor sends only the parts that differ", async () => {
    const { files } = await begin();
    const content = randomContent(5 * MIB);
    await files.save("ckpt", content);
    const before = count("UploadPart");
    content.fill(1, 3 * MIB + 10, 3 * MIB + 20);
    await files.save("ckpt", content);
    await expectInBucket("ckpt", content);
    expect(count("UploadPart") - before).toBe(1);
    expect(count("UploadPartCopy")).toBe(4);
  });

  test("an append to a large object fetches one part at most", async () => {
    const { files } = await begin();
    const content = randomContent(4 * MIB + 100);
    await files.save("log", content);
    const gets = count("GetObject");
    const handle = await files.open("log", { append: true });
    await files.write(handle, content.length, Buffer.from("!"));
    await files.close(handle);
    await expectInBucket("log", Buffer.concat([content, Buffer.from("!")]));
    expect(count("GetObject") - gets).toBeLessThanOrEqual(2); // ours here, and the part
    expect(count("UploadPartCopy")).toBe(4);
  });

  test("write, close, write again in one handle: one correct object", async () => {
    const { running, files } = await begin();
    const handle = await files.create("npy");
    await files.write(handle, 0, Buffer.from("first"));
    await running.filesystem.flush(request(), handle, LIVE_CLOSE);
    await files.write(handle, 5, Buffer.from("second"));
    await files.close(handle);
    await drained(running);
    expect((await inBucket("npy"))?.toString()).toBe("firstsecond");
  });

  test("truncate up and down leaves zeros where nothing was written", async () => {
    const { running, files } = await begin();
    await files.save("t", randomContent(3 * MIB));
    await files.truncate("t", MIB + 10);
    await files.truncate("t", 2 * MIB + 5);
    const handle = await files.open("t");
    await files.write(handle, 2 * MIB, Buffer.from("end"));
    await files.close(handle);
    await drained(running);
    const content = await inBucket("t");
    expect(content?.length).toBe(2 * MIB + 5);
    expect(content?.subarray(MIB + 10, 2 * MIB).every((byte) => byte === 0)).toBe(true);
    expect(content?.subarray(2 * MIB, 2 * MIB + 3).toString()).toBe("end");
  });
});

describe("the end of a writer", () => {
  test("S4.1 a writer that was killed publishes nothing; its file is not under its name, but in uploads", async () => {
    const { running, files } = await begin();
    const handle = await files.create("big");
    await files.write(handle, 0, randomContent(3 * MIB));
    await running.filesystem.flush(request(), handle, {
      end: "killed",
      tgid: 1000,
      heldElsewhere: false,
    });
    await running.filesystem.release(handle);
    expect(await inBucket("big")).toBeUndefined();
    await expect(files.stat("big")).rejects.toMatchObject({ code: "NotFound" });
    expect(running.publisher.pending()).toMatchObject([
      { path: "big", state: "interrupted", promised: false },
    ]);
  });

  test("S4.2 what a killed writer had fsynced is closed at that content", async () => {
    const { running, files } = await begin();
    const handle = await files.create("log");
    await files.write(handle, 0, Buffer.from("kept"));
    await running.filesystem.fsync(request(), handle, false);
    await running.filesystem.flush(request(), handle, {
      end: "killed",
      tgid: 1000,
      heldElsewhere: false,
    });
    await running.filesystem.release(handle);
    await drained(running);
    expect((await inBucket("log"))?.toString()).toBe("kept");
  });

  test("S4.3 an interrupted close answers EINTR at once, and the save goes on", async () => {
    const { running, files } = await begin();
    const content = randomContent(3 * MIB);
    world.emulator.order({
      kind: "CompleteMultipartUpload",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 3,
    });
    const handle = await files.create("big");
    await files.write(handle, 0, content);
    const interrupt = new AbortController();
    const closing = files.close(handle, interrupt.signal);
    interrupt.abort();
    await expect(closing).rejects.toMatchObject({ code: "Interrupted" });
    await drained(running);
    await expectInBucket("big", content);
  });
});

describe("names", () => {
  test("S5.1 a rename of an object is right at once and becomes a copy and a delete", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    const content = randomContent(1000);
    await files.save("a", content);
    await files.rename("a", "b");
    expect(await files.list("")).toEqual(["b"]);
    expect((await files.read("b")).equals(content)).toBe(true);
    await drained(running);
    await expectInBucket("b", content);
    expect(await inBucket("a")).toBeUndefined();
    expect((await files.read("b")).equals(content)).toBe(true);
  });

  test("S5.2 a rename of what is still pending costs no copy, and the old name never appears", async () => {
    const { running, files } = await begin();
    const handle = await files.create("x.tmp");
    await files.write(handle, 0, Buffer.from("content"));
    await files.rename("x.tmp", "x");
    await files.close(handle);
    await drained(running);
    expect((await inBucket("x"))?.toString()).toBe("content");
    expect(count("CopyObject") + count("DeleteObject")).toBe(0);
    expect(world.emulator.requests().some(({ key }) => key === "x.tmp")).toBe(false);
  });

  test("a new file under a name that is being renamed away waits for the copy", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    await files.save("latest", Buffer.from("old"));
    world.emulator.order({
      kind: "CopyObject",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 2,
    });
    await files.rename("latest", "previous");
    await files.save("latest", Buffer.from("new"));
    await drained(running);
    expect((await inBucket("latest"))?.toString()).toBe("new");
    expect((await inBucket("previous"))?.toString()).toBe("old");
  });

  test("S5.3 directories: made, listed, refused while not empty, removed, renamed with what is in them", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    await files.mkdir("d");
    await files.save("d/a", Buffer.from("1"));
    await files.save("d/b", Buffer.from("2"));
    await expect(files.rmdir("d")).rejects.toMatchObject({ code: "NotEmpty" });
    await files.rename("d", "e");
    expect(await files.list("")).toEqual(["e"]);
    expect(await files.list("e")).toEqual(["a", "b"]);
    expect((await files.read("e/a")).toString()).toBe("1");
    await drained(running);
    expect((await inBucket("e/b"))?.toString()).toBe("2");
    expect(await inBucket("d/b")).toBeUndefined();
    await files.unlink("e/a");
    await files.unlink("e/b");
    await files.rmdir("e");
    await drained(running);
    expect(await files.list("")).toEqual([]);
    expect(world.emulator.objects("bucket")).toEqual([]);
  });

  test("S5.4 an open file that is removed goes on for who has it open, and leaves nothing", async () => {
    const { running, files } = await begin();
    const handle = await files.create("gone");
    await files.write(handle, 0, randomContent(3 * MIB));
    await files.unlink("gone");
    await files.write(handle, 0, Buffer.from("still"));
    await files.close(handle);
    await drained(running);
    expect(world.emulator.objects("bucket")).toEqual([]);
    await expect.poll(() => running.spill.listSaves()).toEqual([]);
  });

  test("S5.5 a request that comes again after a take-over is answered, not done twice", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    await files.save("a", Buffer.from("1"));
    const first = request();
    await running.filesystem.unlink(first, 1 as never, Buffer.from("a"));
    await running.filesystem.unlink({ ...first, resent: true }, 1 as never, Buffer.from("a"));
    await expect(
      running.filesystem.unlink(request(), 1 as never, Buffer.from("a")),
    ).rejects.toMatchObject({ code: "NotFound" });
  });
});

describe("order and strangers", () => {
  test("S2.4 in a directory nothing becomes visible before what was closed earlier", async () => {
    const { running, files } = await begin({ lagMs: 60_000 });
    world.emulator.order({
      kind: "PutObject",
      key: "data",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 3,
    });
    await files.save("data", Buffer.from("data"));
    await files.save("latest", Buffer.from("latest"));
    await drained(running);
    const puts = world.emulator
      .requests()
      .filter((r) => r.kind === "PutObject" && r.status === 200)
      .map(({ key }) => key);
    expect(puts).toEqual(["data", "latest"]);
  });

  test("S3.3 recovery does not overwrite newer work of another client: parked as a conflict, nothing lost", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    world.emulator.order({
      kind: "PutObject",
      key: "a",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1_000_000,
    });
    await files.save("a", Buffer.from("ours"));
    await running.stop();
    for (const order of world.emulator.orders()) order.cancel();
    const other = Buffer.from("theirs");
    const { createHash } = await import("node:crypto");
    const sha256 = createHash("sha256").update(other).digest("hex") as never;
    await world
      .bucket()
      .put({ key: toKey("a"), body: { kind: "bytes", bytes: other }, sha256, metadata: {} });
    const second = await again();
    await expect
      .poll(() => second.running.publisher.pending().map(({ state }) => state), { timeout: 10_000 })
      .toEqual(["parked"]);
    await expectInBucket("a", other);
    expect((await second.files.read("a")).toString()).toBe("ours");
  });
});
