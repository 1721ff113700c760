// Files that were cut before a crash: how long they are afterwards.

import { describe, expect, test } from "vitest";
import { type HandleId, toKey } from "../../src/model/mod.ts";
import { Driver } from "../support/driver.ts";
import { again, begin, endWorldAfterEach, inBucket, world } from "../support/scene.ts";
import { drained, type Running, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;
const BUSY = { kind: "status", status: 503, code: "SlowDown" } as const;

endWorldAfterEach();

/** What the operator gets when the interrupted save of `f` is published. */
async function published(running: Running): Promise<Buffer | undefined> {
  const save = running.publisher.find(toKey("f"))?.interrupted;
  if (save === undefined) throw new Error("it is interrupted");
  await running.publisher.act("publish", save);
  await drained(running);
  return inBucket("f");
}

async function same(bytes: Buffer | undefined, expected: Buffer): Promise<void> {
  expect(bytes?.length).toBe(expected.length);
  expect(bytes?.equals(expected)).toBe(true);
}

async function cutAndSynced(
  size: number,
  to: number,
): Promise<{ running: Running; handle: HandleId; content: Buffer }> {
  const { running, files } = await begin();
  const content = randomContent(size);
  await files.save("f", content);
  await drained(running);
  const handle = await files.open("f");
  await files.truncate("f", to);
  await running.filesystem.fsync(request(), handle, false);
  return { running, handle, content };
}

describe("a file that was cut and fsynced is that short after a crash", () => {
  for (const { what, size, to } of [
    { what: "at the end of a part", size: 3 * MIB + 500, to: 2 * MIB },
    { what: "within a part", size: 3 * MIB + 500, to: MIB + 77 },
    { what: "of one part", size: 100_000, to: 70_001 },
    { what: "to nothing", size: 2 * MIB, to: 0 },
  ])
    test(`regression NAMES-1: opened without O_TRUNC, cut ${what}`, async () => {
      const { running, content } = await cutAndSynced(size, to);
      const next = await world.startAfterPowerLoss(running);
      await same(await published(next), content.subarray(0, to));
    });

  test("regression NAMES-1: parts that were sealed behind the new end do not come back", async () => {
    const { running, files } = await begin();
    const content = randomContent(4 * MIB);
    const handle = await files.create("f");
    await files.write(handle, 0, content);
    await expect
      .poll(() => running.publisher.pending().map((save) => save.partsAcknowledged))
      .toEqual([2]);
    await files.truncate("f", MIB + 5);
    await running.filesystem.fsync(request(), handle, false);
    const next = await world.startAfterPowerLoss(running);
    await same(await published(next), content.subarray(0, MIB + 5));
  });

  test("regression NAMES-1: what is appended after the fsync counts, as far as it reaches", async () => {
    const { running, handle, content } = await cutAndSynced(3 * MIB, MIB);
    const more = randomContent(2000);
    await new Driver(running.filesystem).write(handle, MIB, more);
    const next = await world.startAfterPowerLoss(running);
    await same(await published(next), Buffer.concat([content.subarray(0, MIB), more]));
  });
});

test("S3.2 regression: closed, cut at the end of a part, it has nothing in the spill, and is published after a crash", async () => {
  const { running, files } = await begin({ closeMode: "local" });
  const content = randomContent(3 * MIB + 500);
  await files.save("f", content);
  await drained(running);
  const outage = world.emulator.order({ kind: "UploadPartCopy", fault: BUSY, count: 1_000_000 });
  const handle = await files.open("f");
  await files.truncate("f", 2 * MIB);
  await files.close(handle);
  await running.stop();
  outage.cancel();
  const next = await again();
  await drained(next.running);
  await same(await inBucket("f"), content.subarray(0, 2 * MIB));
});

describe("S3.1 a file that was cut, extended or emptied without an fsync, killed mount", () => {
  for (const { what, cut } of [
    { what: "cut", cut: 2 * MIB + 5 },
    { what: "extended", cut: 6 * MIB },
  ])
    test(`regression NAMES-1: ${what}`, async () => {
      const { running, files } = await begin();
      const content = randomContent(3 * MIB + 500);
      await files.save("f", content);
      await drained(running);
      await files.open("f");
      await files.truncate("f", cut);
      await running.stop();
      const next = await again();
      const expected = Buffer.alloc(cut);
      content.copy(expected);
      await same(await published(next.running), expected);
    });

  test("regression NAMES-1: a range of it made a hole", async () => {
    const { running, files } = await begin();
    const content = randomContent(3 * MIB + 500);
    const handle = await files.create("f");
    await files.write(handle, 0, content);
    await running.filesystem.fsync(request(), handle, false);
    await running.filesystem.fallocate(request(), handle, 3, { offset: MIB, length: MIB });
    await running.stop();
    const next = await again();
    content.fill(0, MIB, 2 * MIB);
    await same(await published(next.running), content);
  });

  test("regression NAMES-1: a small file that was extended by nothing and fsynced", async () => {
    const { running, files } = await begin();
    await files.save("f", Buffer.from("hello"));
    await drained(running);
    const handle = await files.open("f");
    await files.truncate("f", 100);
    await running.filesystem.fsync(request(), handle, false);
    const next = await world.startAfterPowerLoss(running);
    const expected = Buffer.alloc(100);
    expected.write("hello");
    await same(await published(next), expected);
  });
});
