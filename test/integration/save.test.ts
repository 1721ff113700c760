// How a save becomes an object: what is sent, what is not sent again, and what is visible when.

import { describe, expect, test } from "vitest";
import { toKey, toUploadId } from "../../src/model/mod.ts";
import {
  again,
  begin,
  count,
  endWorldAfterEach,
  expectInBucket,
  inBucket,
  world,
} from "../support/scene.ts";
import { drained, LIVE_CLOSE, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;

endWorldAfterEach();

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
  test("S2.1 close returns when it is complete in the bucket; each part was sent once", async () => {
    const { files } = await begin();
    const content = randomContent(5 * MIB + 123);
    await files.save("big", content);
    await expectInBucket("big", content);
    const parts = world.emulator
      .requests()
      .filter(({ kind }) => kind === "UploadPart")
      .map(({ partNumber }) => partNumber);
    expect([...parts].sort((a = 0, b = 0) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("a part whose first answer was lost, and that is written again, is compared with the store before it is complete", async () => {
    const { files } = await begin();
    const content = randomContent(4 * MIB);
    const handle = await files.create("big");
    world.emulator.order({ kind: "UploadPart", fault: { kind: "lost-reply" }, count: 2 });
    await files.write(handle, 0, content);
    // Of both parts the repetition; a store may take the first attempts later than those, as far as we can tell.
    await expect.poll(() => count("UploadPart"), { timeout: 10_000 }).toBe(2);
    content.fill(8, MIB + 5, MIB + 9);
    await files.write(handle, MIB + 5, content.subarray(MIB + 5, MIB + 9));
    expect(count("ListParts")).toBe(0);
    await files.close(handle);
    expect(count("ListParts")).toBe(1);
    await expectInBucket("big", content);
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

  test("S3.1 regression: a completing request that lands behind the look of the next start is ours, not a conflict", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const content = randomContent(3 * MIB);
    const down = world.emulator.order({
      kind: "CompleteMultipartUpload",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1_000_000,
    });
    await files.save("big", content);
    await expect.poll(() => down.fired).toBeGreaterThan(0);
    await running.stop();
    down.cancel();
    const slow = world.emulator.order({
      kind: "ListParts",
      fault: { kind: "slow", delayMs: 2000 },
      count: 1,
    });
    // In doubt it asks what the upload holds; by then the first life's request has come through.
    const second = await again();
    await expect.poll(() => slow.fired).toBe(1);
    const [upload] = await world.emulator.uploads();
    const key = toKey("big");
    const uploadId = toUploadId(upload?.uploadId ?? "");
    const parts = await world.bucket().listParts({ key, uploadId });
    await world.bucket().complete({ key, uploadId, parts });
    await drained(second.running);
    await expectInBucket("big", content);
    expect([count("CreateMultipartUpload"), count("UploadPart")]).toEqual([1, 3]);
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
  test("S2.7 a file saved over its predecessor sends only the parts that differ", async () => {
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

test("S2.9 a size that no file can have is refused, and the file goes on", async () => {
  const { running, files } = await begin();
  const handle = await files.create("big");
  await expect(files.truncate("big", 2 ** 52)).rejects.toMatchObject({ code: "TooLarge" });
  await files.write(handle, 0, Buffer.from("content"));
  await files.close(handle);
  await drained(running);
  expect((await inBucket("big"))?.toString()).toBe("content");
});

test("regression: a reader never sees a file shorter while a save of it begins", async () => {
  const { running, files } = await begin();
  const content = randomContent(3 * MIB);
  await files.save("model", content);
  const ino = await files.ino("model");
  const sizes = new Set<number>();
  for (let round = 0; round < 5; round += 1) {
    const handle = await files.open("model");
    let isOver = false;
    const writing = files.write(handle, round, Buffer.from("x")).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      sizes.add((await running.filesystem.getattr(request(), ino)).size);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    await files.close(handle);
  }
  expect([...sizes]).toEqual([content.length]);
});
