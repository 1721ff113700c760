// Other clients of the same bucket: what they have written is never overwritten by what was kept here, their uploads are
// never touched, and what a store's lifecycle rule aborts is sent again.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toKey } from "../../src/model/mod.ts";
import { Driver } from "../support/driver.ts";
import {
  again,
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
const KEY = toKey("a");
const OURS = Buffer.from("ours");
const THEIRS = Buffer.from("theirs");

endWorldAfterEach();

function refusePuts(status: number, code: string, times = 1_000_000): () => void {
  const order = world.emulator.order({
    kind: "PutObject",
    key: "a",
    fault: { kind: "status", status, code },
    count: times,
  });
  return () => order.cancel();
}

/** Saved here, not sent; then written by another client; then the mount starts again. */
async function conflict(): Promise<{ running: Running; files: Driver }> {
  const { running, files } = await begin({ closeMode: "local" });
  const allow = refusePuts(503, "SlowDown");
  await files.save("a", OURS);
  await running.stop();
  allow();
  await putForeign("a", THEIRS);
  const second = await again();
  await isParked(second.running);
  return second;
}

async function isParked(running: Running, why = "Conflict"): Promise<void> {
  await expect
    .poll(() => running.publisher.pending(), { timeout: 10_000 })
    .toMatchObject([{ path: "a", state: "parked", why, waitsFor: "operator" }]);
}

function act(running: Running, kind: Parameters<Running["publisher"]["act"]>[0]): Promise<void> {
  const slot = running.publisher.find(KEY);
  const save = slot?.closed ?? slot?.interrupted;
  if (save === undefined) throw new Error("something is kept");
  return running.publisher.act(kind, save);
}

describe("a conflict", () => {
  test("S3.6 keep mine: replaces what the other client has written", async () => {
    const { running } = await conflict();
    await act(running, "keep-mine");
    await drained(running);
    expect(running.publisher.pending()).toEqual([]);
    await expectInBucket("a", OURS);
  });

  test("S3.6 keep mine: holds over a restart, for the version that was there when it was said", async () => {
    const { running } = await conflict();
    const allow = refusePuts(503, "SlowDown");
    await act(running, "keep-mine");
    await running.stop();
    allow();
    const second = await again();
    await drained(second.running);
    await expectInBucket("a", OURS);
  });

  test("S3.6 keep mine: what yet another client has written after that is a conflict again", async () => {
    const { running } = await conflict();
    const allow = refusePuts(503, "SlowDown");
    await act(running, "keep-mine");
    await running.stop();
    allow();
    await putForeign("a", Buffer.from("newest"));
    const second = await again();
    await isParked(second.running);
    await expectInBucket("a", Buffer.from("newest"));
  });

  test("S3.6 keep mine: says that the store cannot be asked, and changes nothing", async () => {
    const { running } = await conflict();
    world.emulator.order({
      kind: "HeadObject",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1_000_000,
    });
    await expect(act(running, "keep-mine")).rejects.toMatchObject({ code: "Unreachable" });
    await isParked(running);
  });

  test("S3.6 keep theirs: ours is gone, theirs is seen", async () => {
    const { running, files } = await conflict();
    await act(running, "keep-theirs");
    expect(running.publisher.pending()).toEqual([]);
    await expectInBucket("a", THEIRS);
    expect((await files.read("a")).toString()).toBe("theirs");
    await running.background.settled();
    expect(await running.spill.listSaves()).toEqual([]);
  });

  test("S3.3 regression: retry looks again, and does not overwrite the other's work", async () => {
    const { running } = await conflict();
    await act(running, "retry");
    await isParked(running);
    await expectInBucket("a", THEIRS);
    await world.bucket().delete(KEY);
    await act(running, "retry");
    await drained(running);
    await expectInBucket("a", OURS);
  });

  test("S3.3 regression: retry after another refusal does not overwrite what was written meanwhile", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    refusePuts(403, "AccessDenied", 1);
    await files.save("a", OURS);
    running.publisher.hurry();
    await isParked(running, "AccessDenied");
    await putForeign("a", THEIRS);
    await act(running, "retry");
    await isParked(running);
    await expectInBucket("a", THEIRS);
  });

  test("S3.3 regression: an interrupted save that is published by order does not overwrite newer work", async () => {
    const { running, files } = await begin();
    const handle = await files.create("a");
    await files.write(handle, 0, OURS);
    const killed = { end: "killed", tgid: 1000, heldElsewhere: false } as const;
    await running.filesystem.flush(request(), handle, killed);
    await running.filesystem.release(handle);
    await putForeign("a", THEIRS);
    await act(running, "publish");
    await isParked(running);
    await expectInBucket("a", THEIRS);
  });

  test("regression: an object that was modified here and replaced there is not mixed by retry, nor by keep mine", async () => {
    const { running, files } = await begin();
    await putForeign("a", randomContent(3 * MIB));
    const handle = await files.open("a");
    await files.write(handle, 3 * MIB, OURS);
    const theirs = randomContent(2 * MIB);
    await putForeign("a", theirs);
    await expect(running.filesystem.flush(request(), handle, LIVE_CLOSE)).rejects.toMatchObject({
      code: "Conflict",
    });
    await running.filesystem.release(handle);
    await act(running, "retry");
    await isParked(running);
    await expect(act(running, "keep-mine")).rejects.toMatchObject({
      code: "Conflict",
      message: expect.stringContaining("save it again as a whole, or keep theirs"),
    });
    await expectInBucket("a", theirs);
    await act(running, "keep-theirs");
    await expectInBucket("a", theirs);
  });

  test("S3.6 only a conflict is resolved", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    refusePuts(403, "AccessDenied", 1);
    await files.save("a", OURS);
    running.publisher.hurry();
    await isParked(running, "AccessDenied");
    for (const kind of ["keep-mine", "keep-theirs"] as const)
      await expect(act(running, kind)).rejects.toMatchObject({
        code: "Invalid",
        message:
          "Cannot resolve 'a': it is parked for another reason (AccessDenied); mend that and 'retry', or 'drop' it",
      });
  });
});

describe("uploads", () => {
  test("S3.7 those of others at the same key are never touched: by saves, restarts, drops", async () => {
    const { running, files } = await begin();
    const bucket = world.bucket();
    const { uploadId } = await bucket.createUpload({ key: KEY, metadata: {} });
    const content = randomContent(3 * MIB);
    await files.save("a", content);
    await expectInBucket("a", content);
    const handle = await files.create("a");
    await files.write(handle, 0, randomContent(2 * MIB + 1));
    await expect.poll(() => count("CreateMultipartUpload", "a")).toBe(3);
    await running.stop();
    const second = await again();
    await act(second.running, "drop");
    await second.running.background.settled();
    expect((await world.emulator.uploads()).map((each) => each.uploadId)).toContain(uploadId);
    await expect(bucket.listParts({ key: KEY, uploadId })).resolves.toEqual([]);
  });

  test("S3.8 one that vanishes in the middle is sent again from the spill", async () => {
    const { running, files } = await begin();
    const vanish = world.emulator.order({
      kind: "UploadPart",
      key: "a",
      fault: { kind: "no-such-upload" },
      skip: 2,
    });
    const content = randomContent(5 * MIB + 3);
    await files.save("a", content);
    expect(vanish.fired).toBe(1);
    await expectInBucket("a", content);
    await drained(running);
    expect(await world.emulator.uploads()).toEqual([]);
  });

  test("S3.8 one that is gone at the Complete is sent again from the spill", async () => {
    const { running, files } = await begin();
    const vanish = world.emulator.order({
      kind: "CompleteMultipartUpload",
      key: "a",
      fault: { kind: "no-such-upload" },
    });
    const content = randomContent(3 * MIB + 3);
    await files.save("a", content);
    expect(vanish.fired).toBe(1);
    expect(count("UploadPart", "a")).toBe(8);
    await expectInBucket("a", content);
    await drained(running);
    expect(await world.emulator.uploads()).toEqual([]);
  });

  test("S3.8 one that a lifecycle rule has aborted while the mount was away is sent again", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const stuck = world.emulator.order({
      kind: "CompleteMultipartUpload",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1_000_000,
    });
    const content = randomContent(3 * MIB + 3);
    await files.save("a", content);
    await expect.poll(() => count("UploadPart", "a"), { timeout: 10_000 }).toBe(4);
    await running.stop();
    stuck.cancel();
    for (const { key, uploadId } of await world.emulator.uploads())
      await world.bucket().abort({ key: toKey(key), uploadId: uploadId as never });
    const second = await again();
    await drained(second.running);
    await expectInBucket("a", content);
    expect(count("UploadPart", "a")).toBe(8);
  });
});

describe("two mounts of one prefix", () => {
  test("S3.7 save at the same key at the same time: the last one wins, whole, and neither aborts the other's upload", async () => {
    const one = await begin();
    const other = await world.start({ stateDir: join(world.stateDir, "..", "other") });
    const files = [one.files, new Driver(other.filesystem)];
    const versions = new Map<string, Buffer>();
    const seen = new Set<string>();
    let watching = true;
    const watch = (async () => {
      while (watching) {
        const now = await inBucket("a").catch(() => undefined);
        if (now !== undefined) seen.add(now.subarray(0, 16).toString("hex") + now.length);
        if (now !== undefined && ![...versions.values()].some((each) => each.equals(now)))
          throw new Error("a torn object was visible");
      }
    })();
    for (let round = 0; round < 4; round += 1) {
      const contents = files.map((_, index) => randomContent(3 * MIB + round * 2 + index));
      contents.forEach((content, index) => versions.set(`${round}.${index}`, content));
      await Promise.all(files.map((each, index) => each.save("a", contents[index] ?? OURS)));
    }
    watching = false;
    await watch;
    await drained(one.running);
    await drained(other);
    expect(seen.size).toBeGreaterThan(0);
    const last = await inBucket("a");
    expect([...versions.values()].some((each) => last?.equals(each))).toBe(true);
    expect(count("AbortMultipartUpload")).toBe(0);
    expect(await world.emulator.uploads()).toEqual([]);
  });
});
