// Small files, whose bytes are in the catalog and not in the spill: nothing of what is promised is less for that.

import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT_INO, toKey } from "../../src/model/mod.ts";
import { Driver } from "../support/driver.ts";
import {
  begin,
  count,
  endWorldAfterEach,
  expectInBucket,
  inBucket,
  world,
} from "../support/scene.ts";
import { drained, type Running, randomContent, request } from "../support/world.ts";

const BUSY = { kind: "status", status: 503, code: "SlowDown" } as const;

endWorldAfterEach();

function spilled(stateDir = world.stateDir): Promise<string[]> {
  return readdir(join(stateDir, "spill"));
}

/** The bucket takes nothing until the function that is returned is called. */
function outage(): () => void {
  const order = world.emulator.order({ kind: "PutObject", fault: BUSY, count: 1_000_000 });
  return () => order.cancel();
}

async function outcome(running: Running): Promise<string[]> {
  await drained(running);
  return running.publisher.pending().map(({ path, state }) => `${path} ${state}`);
}

describe("a small file", () => {
  test("makes no file in the spill; a larger one does", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const over = outage();
    await files.save("small", randomContent(64 * 1024));
    expect(await spilled()).toEqual([]);
    await files.save("large", randomContent(64 * 1024 + 1));
    expect(await spilled()).toHaveLength(1);
    over();
    expect(await outcome(running)).toEqual([]);
  });

  test("S3.2 S3.4 that was closed is published after a loss of power, by bytes that a sync has covered", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const over = outage();
    const content = randomContent(5000);
    await files.save("closed", content, 3000);
    await files.save("empty", Buffer.alloc(0));
    const after = await world.startAfterPowerLoss(running);
    over();
    expect(await outcome(after)).toEqual([]);
    await expectInBucket("closed", content);
    expect((await inBucket("empty"))?.length).toBe(0);
    await expect(access(join(`${world.stateDir}-copy`, "spill"))).resolves.toBeUndefined();
    expect(await spilled(`${world.stateDir}-copy`)).toEqual([]);
  });

  test("S3.4 regression: that was closed is not lost with the power when a larger close takes its place and waits", async () => {
    const { running, files } = await begin();
    const over = outage();
    const create = { kind: "CreateMultipartUpload", fault: BUSY, count: 1_000_000 } as const;
    const down = world.emulator.order(create);
    await files.save("log", randomContent(5000));
    const handle = await files.open("log", { append: true });
    const record = randomContent(3 * 1024 * 1024);
    await files.write(handle, 5000, record);
    // It waits for the bucket, and so for ever: its mount ends.
    files.close(handle).catch(() => undefined);
    await expect
      .poll(() => running.publisher.pending())
      .toMatchObject([{ state: "closed", size: 5000 + record.length }]);
    const after = await world.startAfterPowerLoss(running);
    over();
    down.cancel();
    expect(await outcome(after)).toEqual([]);
    expect((await inBucket("log"))?.subarray(5000).equals(record)).toBe(true);
  });

  test("S3.1 that was open when the mount died is interrupted, with what was written", async () => {
    const { running, files } = await begin();
    const handle = await files.create("open");
    await files.write(handle, 0, Buffer.from("half of "));
    await files.write(handle, 8, Buffer.from("it"));
    const after = await world.startAfterPowerLoss(running);
    expect(after.publisher.pending()).toMatchObject([
      { path: "open", state: "interrupted", size: 10 },
    ]);
    const save = after.publisher.find(toKey("open"))?.interrupted;
    if (save === undefined) throw new Error("it is interrupted");
    await after.publisher.act("publish", save);
    expect(await outcome(after)).toEqual([]);
    expect((await inBucket("open"))?.toString()).toBe("half of it");
  });

  test("that was emptied and written again has nothing of what was there before", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const over = outage();
    const handle = await files.create("twice");
    await files.write(handle, 0, Buffer.from("the first time"));
    await files.truncate("twice", 0);
    await files.write(handle, 0, Buffer.from("second"));
    await files.close(handle);
    const after = await world.startAfterPowerLoss(running);
    over();
    expect(await outcome(after)).toEqual([]);
    expect((await inBucket("twice"))?.toString()).toBe("second");
  });

  test("S2.6 that grows after its fsync keeps what the fsync has promised", async () => {
    const { running, files } = await begin();
    const handle = await files.create("grows");
    await files.write(handle, 0, Buffer.from("promised"));
    await running.filesystem.fsync(request(), handle, false);
    const rest = randomContent(100_000);
    await files.write(handle, 8, rest);
    expect(await spilled()).toHaveLength(1);
    expect((await files.read("grows")).equals(Buffer.concat([Buffer.from("promised"), rest]))).toBe(
      true,
    );
    await files.close(handle);
    expect(await outcome(running)).toEqual([]);
    await expectInBucket("grows", Buffer.concat([Buffer.from("promised"), rest]));
  });

  test("that is appended to, patched, cut and renamed while it is pending reads back and arrives", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const over = outage();
    const handle = await files.create("a");
    await files.write(handle, 0, Buffer.from("0123456789"));
    await files.write(handle, 10, Buffer.from("abc"));
    await files.write(handle, 2, Buffer.from("XX"));
    await files.truncate("a", 12);
    await files.truncate("a", 14);
    await files.close(handle);
    expect((await files.read("a")).toString()).toBe("01XX456789ab\0\0");
    await running.stop();
    const after = await world.start();
    const again = new Driver(after.filesystem);
    expect((await again.read("a")).toString()).toBe("01XX456789ab\0\0");
    await again.rename("a", "b");
    over();
    expect(await outcome(after)).toEqual([]);
    expect((await inBucket("b"))?.toString()).toBe("01XX456789ab\0\0");
    expect(await inBucket("a")).toBeUndefined();
  });
});

describe("many small files", () => {
  test("cost one request each, also in directories that are new, and no listing by the file", async () => {
    const { running, files } = await begin();
    const lists = count("ListObjectsV2");
    for (let directory = 0; directory < 5; directory += 1) {
      await files.mkdir(`d${directory}`);
      for (let file = 0; file < 10; file += 1) {
        const path = `d${directory}/f${file}`;
        await expect(files.stat(path)).rejects.toMatchObject({ code: "NotFound" });
        await files.save(path, randomContent(100));
      }
    }
    expect(await outcome(running)).toEqual([]);
    expect(count("PutObject")).toBe(5 + 50);
    expect(count("HeadObject")).toBe(0);
    expect(count("ListObjectsV2") - lists).toBeLessThanOrEqual(10);
  });

  test("a listing that was under way while files were made is used, and has them", async () => {
    const { running, files } = await begin({ closeMode: "strict", listTtlMs: 60_000 });
    const slow = { kind: "slow", delayMs: 500 } as const;
    world.emulator.order({ kind: "ListObjectsV2", fault: slow, count: 1 });
    const listing = files.list("");
    const handle = await running.filesystem.create(request(), ROOT_INO, Buffer.from("made"), {
      mode: 0o644,
      flags: { read: true, write: true, append: false, truncate: true, exclusive: false },
    });
    await files.write(handle.opened.handle, 0, Buffer.from("1"));
    await files.close(handle.opened.handle);
    await listing;
    const lists = count("ListObjectsV2");
    expect(await files.list("")).toEqual(["made"]);
    expect(count("ListObjectsV2")).toBe(lists);
  });

  test("S2.4 the marker of a directory does not hold up the files beside it", async () => {
    const { files, running } = await begin({ closeMode: "strict" });
    const slow = { kind: "slow", delayMs: 8000 } as const;
    world.emulator.order({ kind: "PutObject", key: "dir/", fault: slow, count: 1 });
    await files.mkdir("dir");
    await files.save("beside", Buffer.from("1"));
    const marker = world.emulator.requests().find(({ key }) => key === "dir/");
    expect(marker?.status).toBe(0);
    expect(await outcome(running)).toEqual([]);
    expect((await inBucket("dir/"))?.length).toBe(0);
  });
});
