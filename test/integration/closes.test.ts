// Files that are closed again and again: what is in the bucket is right, in the order of the closes, and in few requests.

import { describe, expect, test } from "vitest";
import type { Driver } from "../support/driver.ts";
import {
  begin,
  count,
  endWorldAfterEach,
  expectInBucket,
  inBucket,
  putForeign,
  world,
} from "../support/scene.ts";
import { drained, LIVE_CLOSE, type Running, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;

endWorldAfterEach();

/** `open(path, "a")`, one write, close: as the kernel tells it, with the offset that it knows. */
async function append(files: Driver, path: string, data: Buffer): Promise<void> {
  const handle = await files.open(path, { read: false, append: true });
  await files.write(handle, (await files.stat(path)).size, data);
  await files.close(handle);
}

/** The close of a duplicate: another descriptor is left. */
function flushDuplicate(running: Running, handle: Parameters<Driver["close"]>[0]): Promise<void> {
  return running.filesystem.flush(request(), handle, { ...LIVE_CLOSE, heldElsewhere: true });
}

describe("S2.10 a file that is closed again and again", () => {
  test("600 records, each with an open and a close, cost about one request a second", async () => {
    const { running, files } = await begin();
    const record = randomContent(40);
    const start = performance.now();
    await files.save("events", record);
    for (let index = 1; index < 600; index += 1) await append(files, "events", record);
    const seconds = (performance.now() - start) / 1000;
    await drained(running);
    expect(count("PutObject", "events")).toBeLessThanOrEqual(3 + seconds);
    expect(count("GetObject", "events")).toBeLessThanOrEqual(1);
    await expectInBucket("events", Buffer.concat(Array.from({ length: 600 }, () => record)));
  });

  test("what is appended after the commit is not fetched again and again", async () => {
    const { running, files } = await begin();
    await files.save("log", Buffer.from("0"));
    for (let index = 1; index < 10; index += 1) {
      await drained(running);
      await append(files, "log", Buffer.from(String(index)));
    }
    await drained(running);
    expect((await inBucket("log"))?.toString()).toBe("0123456789");
    expect(count("GetObject", "log")).toBeLessThanOrEqual(1 + 1); // the first append's, and ours
  });

  test("what another client wrote meanwhile is what is appended to", async () => {
    const { running, files } = await begin({ listTtlMs: 1 });
    await files.save("log", Buffer.from("a"));
    await drained(running);
    await append(files, "log", Buffer.from("b"));
    await drained(running);
    await putForeign("log", Buffer.from("theirs"));
    await append(files, "log", Buffer.from("c"));
    await drained(running);
    expect((await inBucket("log"))?.toString()).toBe("theirsc");
  });

  test("whoever waits for the bucket does not wait for the second to be over", async () => {
    const { files } = await begin({ closeMode: "strict" });
    const start = performance.now();
    for (let index = 0; index < 20; index += 1) await files.save("latest", Buffer.from(`${index}`));
    expect(performance.now() - start).toBeLessThan(19_000);
    expect((await inBucket("latest"))?.toString()).toBe("19");
  });

  test("a file of several parts does not wait for what is held back before it in its directory", async () => {
    const { files } = await begin();
    await files.save("step", Buffer.from("1"));
    await expect.poll(() => count("PutObject", "step")).toBe(1);
    await append(files, "step", Buffer.from("2"));
    await files.save("model", randomContent(2 * MIB));
    // It is visible, so what was closed before it is too.
    expect((await inBucket("step"))?.toString()).toBe("12");
  });

  test("two logs in one directory keep their order and their pace", async () => {
    const { running, files } = await begin();
    const start = performance.now();
    for (const name of ["a", "b"]) await files.save(name, Buffer.alloc(0));
    for (let index = 0; index < 100; index += 1)
      for (const name of ["a", "b"]) await append(files, name, Buffer.from("."));
    const seconds = (performance.now() - start) / 1000;
    await drained(running);
    for (const name of ["a", "b"]) {
      expect((await inBucket(name))?.length).toBe(100);
      expect(count("PutObject", name)).toBeLessThanOrEqual(3 + seconds);
    }
  });
});

describe("S2.3 a close while the request of the last one is under way", () => {
  const slow = { kind: "slow", delayMs: 3000 } as const;

  test("does not wait for it, and what was closed last is there in the end", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    world.emulator.order({ kind: "PutObject", fault: slow, count: 1 });
    await files.save("log", Buffer.from("0"));
    running.publisher.hurry();
    await expect.poll(() => running.publisher.pending()[0]?.state).toBe("completing");
    for (let index = 1; index < 5; index += 1)
      await append(files, "log", Buffer.from(String(index)));
    expect(running.publisher.pending().map(({ state }) => state)).toEqual(["completing", "closed"]);
    expect((await files.read("log")).toString()).toBe("01234");
    await drained(running);
    expect((await inBucket("log"))?.toString()).toBe("01234");
    expect(count("PutObject", "log")).toBe(2);
  });

  test.for([
    ["had arrived", "lost-reply"],
    ["had not arrived", "stall"],
  ] as const)("is published after a kill when that request %s", async ([, kind]) => {
    const { running, files } = await begin({ closeMode: "local" });
    world.emulator.order({ kind: "PutObject", fault: { kind }, count: 1 });
    world.emulator.order({ kind: "PutObject", fault: { kind: "stall" }, count: 1 });
    await files.save("log", Buffer.from("0"));
    running.publisher.hurry();
    await expect.poll(() => running.publisher.pending()[0]?.state).toBe("completing");
    if (kind === "lost-reply")
      await expect.poll(async () => (await inBucket("log"))?.toString()).toBe("0");
    await append(files, "log", Buffer.from("1"));
    const after = await world.startAfterPowerLoss(running);
    for (const order of world.emulator.orders()) order.cancel();
    await drained(after);
    expect(after.publisher.pending()).toEqual([]);
    expect((await inBucket("log"))?.toString()).toBe("01");
  });
});

describe("S2.5 flushes that are no closes", () => {
  test("gguf: one FLUSH after each tensor, one commit at the end", async () => {
    const { files, running } = await begin();
    const content = randomContent(3 * MIB + 5);
    const handle = await files.create("model.gguf");
    const piece = 300_000;
    for (let at = 0; at < content.length; at += piece) {
      await files.write(handle, at, content.subarray(at, at + piece));
      await flushDuplicate(running, handle);
    }
    expect(count("CompleteMultipartUpload")).toBe(0);
    await files.close(handle);
    await expectInBucket("model.gguf", content);
    expect(count("CompleteMultipartUpload")).toBe(1);
    expect(count("UploadPart")).toBe(4);
  });

  test("np.save twice into one handle is one commit", async () => {
    const { files, running } = await begin();
    const [first, second] = [randomContent(1000), randomContent(2000)];
    const handle = await files.create("arrays.npy");
    await files.write(handle, 0, first);
    await flushDuplicate(running, handle);
    await files.write(handle, first.length, second);
    await flushDuplicate(running, handle);
    await files.close(handle);
    await drained(running);
    await expectInBucket("arrays.npy", Buffer.concat([first, second]));
    expect(count("PutObject", "arrays.npy")).toBe(1);
  });

  test("DeepSpeed's three opens of one file send only what has changed", async () => {
    const { files } = await begin();
    const content = randomContent(4 * MIB + 1000);
    const aligned = 4 * MIB;
    await files.save("shard", content.subarray(0, aligned));
    await append(files, "shard", content.subarray(aligned));
    const again = await files.open("shard", { read: false, append: true });
    await files.close(again);
    await expectInBucket("shard", content);
    expect(count("CompleteMultipartUpload")).toBe(2);
    // Four parts, and then the new one; what is the same is copied within the store.
    expect(count("UploadPart")).toBe(4 + 1);
    expect(count("UploadPartCopy")).toBe(4);
  });
});
