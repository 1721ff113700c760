// Files that are larger than the spill, and writers that are more than it has room for.

import { describe, expect, test } from "vitest";
import { toKey } from "../../src/model/mod.ts";
import type { Driver } from "../support/driver.ts";
import {
  again,
  begin,
  count,
  endWorldAfterEach,
  expectInBucket,
  inBucket,
  world,
} from "../support/scene.ts";
import { drained, LIVE_CLOSE, type Running, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;
const PIECE = 256 * 1024;
const BUSY = { kind: "status", status: 503, code: "SlowDown" } as const;

endWorldAfterEach();

/** Writes `content` from `from` on, as a program does. */
async function writeOn(
  files: Driver,
  handle: Awaited<ReturnType<Driver["create"]>>,
  content: Buffer,
  from = 0,
): Promise<void> {
  for (let at = from; at < content.length; at += PIECE)
    await files.write(handle, at, content.subarray(at, at + PIECE));
}

/** A file of 12 MiB that is being written over a spill of 4 MiB. */
async function streaming(options: Parameters<typeof begin>[0] = {}): Promise<{
  running: Running;
  files: Driver;
  handle: Awaited<ReturnType<Driver["create"]>>;
  content: Buffer;
}> {
  const { running, files } = await begin({ spillLimit: 4 * MIB, ...options });
  const content = randomContent(12 * MIB);
  const handle = await files.create("big");
  await writeOn(files, handle, content);
  expect(running.publisher.pending()).toMatchObject([{ path: "big", streaming: true }]);
  return { running, files, handle, content };
}

/** A close that somebody gave up waiting for, while the store completes nothing; until the order is cancelled. */
async function closeInOutage(
  files: Driver,
  handle: Awaited<ReturnType<Driver["create"]>>,
): Promise<{ cancel(): void }> {
  const outage = world.emulator.order({
    kind: "CompleteMultipartUpload",
    fault: BUSY,
    count: 1_000_000,
  });
  await expect(files.close(handle, AbortSignal.timeout(500))).rejects.toMatchObject({
    code: "Interrupted",
  });
  return outage;
}

const read = (running: Running, handle: never, offset: number, length: number) =>
  running.filesystem.read(request(), handle, offset, length);

describe("S2.16 a file larger than the spill", () => {
  for (const closeMode of ["commit", "local"] as const)
    test(`is published by its close, which waits for the bucket: --close=${closeMode}`, async () => {
      const { running, files } = await begin({ spillLimit: 8 * MIB, closeMode });
      const content = randomContent(80 * MIB + 4321);
      const handle = await files.create("big");
      let most = 0;
      for (let at = 0; at < content.length; at += PIECE) {
        await files.write(handle, at, content.subarray(at, at + PIECE));
        most = Math.max(most, running.spill.usage().used);
      }
      expect(most).toBeLessThanOrEqual(9 * MIB);
      await files.close(handle);
      await expectInBucket("big", content);
      expect(count("UploadPart")).toBe(81);
      await expect.poll(() => running.spill.usage().used).toBe(0);
    });

  test("part 1 and what was written last can be read and patched before the close", async () => {
    const { running, files, handle, content } = await streaming();
    const tail = content.length - 100;
    content.write("HEADER", 10);
    await files.write(handle, 10, Buffer.from("HEADER"));
    content.write("TAIL", tail);
    await files.write(handle, tail, Buffer.from("TAIL"));
    expect(
      Buffer.from(await read(running, handle as never, 0, 100)).equals(content.subarray(0, 100)),
    ).toBe(true);
    await files.close(handle);
    await expectInBucket("big", content);
  });

  test("a read of what is not kept is Evicted, and does the file no harm", async () => {
    const { running, files, handle, content } = await streaming();
    await expect(read(running, handle as never, 3 * MIB, 100)).rejects.toMatchObject({
      code: "Evicted",
      message: expect.stringMatching(/--spill-limit/),
    });
    await files.close(handle);
    await expectInBucket("big", content);
  });

  test("a write to what is not kept fails the file: it is not published with half of a change", async () => {
    const { running, files, handle } = await streaming();
    await expect(files.write(handle, 3 * MIB, Buffer.from("x"))).rejects.toMatchObject({
      code: "Evicted",
    });
    await expect(files.close(handle)).rejects.toMatchObject({ code: "Evicted" });
    expect(await inBucket("big")).toBeUndefined();
    expect(running.publisher.pending()).toMatchObject([{ state: "interrupted" }]);
  });

  test("it is cut where its bytes are, and emptied; not where they are not", async () => {
    const { files, handle, content } = await streaming();
    await files.truncate("big", content.length - 100);
    await files.truncate("big", 0);
    await files.write(handle, 0, Buffer.from("short"));
    await files.close(handle);
    await expectInBucket("big", Buffer.from("short"));
    const other = await files.create("other");
    await writeOn(files, other, content);
    await expect(files.truncate("other", 3 * MIB + 5)).rejects.toMatchObject({ code: "Evicted" });
  });

  test("it cannot be renamed before its close (Busy), and can after it", async () => {
    const { running, files, handle, content } = await streaming();
    await expect(files.rename("big", "new")).rejects.toMatchObject({ code: "Busy" });
    await files.close(handle);
    await files.rename("big", "new");
    await drained(running);
    await expectInBucket("new", content);
  });

  test("a file that was renamed while it was written can become streaming all the same", async () => {
    const { files } = await begin({ spillLimit: 4 * MIB });
    const content = randomContent(12 * MIB);
    const handle = await files.create("before");
    await writeOn(files, handle, content.subarray(0, 3 * MIB));
    await files.rename("before", "after");
    await writeOn(files, handle, content, 3 * MIB);
    await files.close(handle);
    await expectInBucket("after", content);
    expect(await files.list("")).toEqual(["after"]);
  });

  test("it is removed like any other", async () => {
    const { running, files, handle } = await streaming();
    await files.unlink("big");
    await files.write(handle, 0, Buffer.from("still written to"));
    await files.close(handle);
    await drained(running);
    expect(await inBucket("big")).toBeUndefined();
    await expect.poll(() => world.emulator.uploads()).toEqual([]);
    await expect.poll(() => running.spill.usage().used).toBe(0);
  });

  test("an fsync of it returns; its writer killed then, it is published", async () => {
    const { running, files, handle, content } = await streaming();
    await running.filesystem.fsync(request(), handle, false);
    await running.filesystem.flush(request(), handle, { ...LIVE_CLOSE, end: "killed" });
    await running.filesystem.release(handle);
    await drained(running);
    await expectInBucket("big", content);
    expect(await files.list("")).toEqual(["big"]);
  });

  test("an open to write while its close goes on in the background waits for that", async () => {
    const { running, files, handle, content } = await streaming();
    const outage = await closeInOutage(files, handle);
    const second = await files.open("big");
    const more = files.write(second, content.length, Buffer.from("more"));
    outage.cancel();
    await more;
    await files.close(second);
    await drained(running);
    await expectInBucket("big", Buffer.concat([content, Buffer.from("more")]));
  });

  test("another version saved over it while its close goes on replaces it", async () => {
    const { running, files, handle } = await streaming();
    const outage = await closeInOutage(files, handle);
    outage.cancel();
    await files.save("big", Buffer.from("new"));
    await drained(running);
    await expectInBucket("big", Buffer.from("new"));
  });
});

describe("S3.12 a file larger than the spill, after a crash", () => {
  test("is interrupted, and saved again sends only what the store does not have", async () => {
    const { running, content } = await streaming();
    await expect
      .poll(() => running.publisher.pending().map((save) => save.partsAcknowledged))
      .toEqual([10]);
    await running.stop();
    const next = await again();
    expect(next.running.publisher.pending()).toMatchObject([
      { path: "big", state: "interrupted", streaming: true },
    ]);
    await next.files.save("big", content);
    await expectInBucket("big", content);
    expect(count("UploadPart")).toBe(12);
  });

  test("is published from where it was interrupted, if its writer was done", async () => {
    const { running, content } = await streaming();
    const next = await world.startAfterPowerLoss(running);
    const save = next.publisher.find(toKey("big"))?.interrupted;
    if (save === undefined) throw new Error("it is interrupted");
    await next.publisher.act("publish", save);
    await drained(next);
    await expectInBucket("big", content.subarray(0, save.content.size));
  });

  test("that was closed goes on: its close had not returned, and the store has what is not here", async () => {
    const { running, files, handle, content } = await streaming();
    const outage = await closeInOutage(files, handle);
    await running.stop();
    outage.cancel();
    const next = await again();
    await drained(next.running);
    await expectInBucket("big", content);
  });
});

describe("S2.16 S3.12 its upload vanishes", () => {
  async function abortAll(): Promise<void> {
    for (const { key, uploadId } of await world.emulator.uploads())
      await world.bucket().abort({ key: toKey(key), uploadId: uploadId as never });
  }

  test("while it is written: the next write or the close says NoSuchUpload", async () => {
    const { running, files, handle, content } = await streaming();
    await abortAll();
    const more = randomContent(4 * MIB);
    const writing = writeOn(files, handle, Buffer.concat([content, more]), content.length);
    const outcome = await writing
      .then(
        () => files.close(handle),
        async (error: unknown) => {
          await files.close(handle).catch(() => undefined);
          throw error;
        },
      )
      .then(
        () => "saved",
        (error: { code: string }) => error.code,
      );
    expect(outcome).toBe("NoSuchUpload");
    expect(await inBucket("big")).toBeUndefined();
    expect(running.publisher.pending()).not.toMatchObject([{ state: "closed" }]);
    await expect.poll(() => world.emulator.uploads()).toEqual([]);
  });

  test("while the mount is down: closed, it is parked; saved again it is whole", async () => {
    const { running, files, handle, content } = await streaming();
    const outage = await closeInOutage(files, handle);
    await running.stop();
    outage.cancel();
    await abortAll();
    const next = await again();
    await drained(next.running);
    expect(next.running.publisher.pending()).toMatchObject([
      { path: "big", state: "parked", error: expect.stringMatching(/NoSuchUpload.*saved again/) },
    ]);
    await next.files.save("big", content);
    await drained(next.running);
    await expectInBucket("big", content);
  });
});
