// Clauses of docs/semantics.md that no other test is about.

import { describe, expect, test } from "vitest";
import { ROOT_INO } from "../../src/model/mod.ts";
import { Driver } from "../support/driver.ts";
import {
  begin,
  count,
  endWorldAfterEach,
  expectInBucket,
  inBucket,
  putForeign,
  world,
} from "../support/scene.ts";
import { drained, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;
const BUSY = { kind: "status", status: 503, code: "SlowDown" } as const;

endWorldAfterEach();

describe("names and views", () => {
  test("S1.3 a symlink is an object with its target, and a link again for the next mount", async () => {
    const { running, files } = await begin();
    await running.filesystem.symlink(
      request(),
      ROOT_INO,
      Buffer.from("link"),
      Buffer.from("to/there"),
    );
    await drained(running);
    expect((await inBucket("link"))?.toString()).toBe("to/there");
    expect(await running.filesystem.readlink(request(), await files.ino("link"))).toBe("to/there");
    expect((await files.stat("link")).mode & 0o170000).toBe(0o120000);
  });

  test("S1.4 what is pending and what is in the bucket are one tree", async () => {
    const { files } = await begin({ closeMode: "local" });
    await putForeign("theirs", Buffer.from("1"));
    world.emulator.order({ kind: "PutObject", fault: BUSY, count: 1_000_000 });
    await files.save("ours", Buffer.from("2"));
    expect(await files.list("")).toEqual(["ours", "theirs"]);
    expect((await files.read("ours")).toString()).toBe("2");
    expect(await inBucket("ours")).toBeUndefined();
  });

  test("S5.6 a rename while the one request of its file is under way waits, then is EBUSY, and loses nothing", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    world.emulator.order({ kind: "PutObject", fault: { kind: "slow", delayMs: 5000 }, count: 1 });
    await files.save("a", Buffer.from("content"));
    await expect.poll(() => running.publisher.pending()[0]?.state).toBe("completing");
    await expect(files.rename("a", "b")).rejects.toMatchObject({ code: "Busy" });
    await drained(running);
    await expectInBucket("a", Buffer.from("content"));
  });
});

describe("closes", () => {
  test("S2.5 the close of a child that inherited the file publishes nothing; the last release does", async () => {
    const { running, files } = await begin();
    const handle = await files.create("log");
    await files.write(handle, 0, Buffer.from("line"));
    await running.filesystem.flush(request(), handle, {
      end: "live",
      tgid: 2000,
      heldElsewhere: false,
    });
    await running.filesystem.flush(request(), handle, {
      end: "live",
      tgid: 1000,
      heldElsewhere: true,
    });
    expect(running.publisher.pending()).toMatchObject([{ state: "open" }]);
    await running.filesystem.release(handle);
    await drained(running);
    await expectInBucket("log", Buffer.from("line"));
  });

  test("S2.6 write and fsync do not wait for the bucket", async () => {
    const { running, files } = await begin();
    const handle = await files.create("big");
    world.emulator.order({ kind: "any", fault: BUSY, count: 1_000_000 });
    await files.write(handle, 0, randomContent(4 * MIB));
    await running.filesystem.fsync(request(), handle, false);
    expect(count("UploadPart")).toBe(0);
  });

  test("S2.8 the old object stays as it is until the new one is complete", async () => {
    const { files } = await begin();
    const old = randomContent(2 * MIB);
    await files.save("ckpt", old);
    const handle = await files.open("ckpt", { truncate: true });
    const content = randomContent(3 * MIB);
    await files.write(handle, 0, content);
    await expect.poll(() => count("UploadPart"), { timeout: 10_000 }).toBeGreaterThan(2);
    await expectInBucket("ckpt", old);
    await files.close(handle);
    await expectInBucket("ckpt", content);
  });

  test("S4.4 a process that exits without closing has closed", async () => {
    const { running, files } = await begin();
    const handle = await files.create("out");
    await files.write(handle, 0, Buffer.from("content"));
    await running.filesystem.flush(request(), handle, {
      end: "exited",
      tgid: 1000,
      heldElsewhere: false,
    });
    await running.filesystem.release(handle);
    await drained(running);
    await expectInBucket("out", Buffer.from("content"));
  });
});

describe("a loss of power", () => {
  test("S3.4 a close that had returned is published; one that had not is interrupted, not published", async () => {
    const { running, files } = await begin();
    world.emulator.order({ kind: "PutObject", fault: BUSY, count: 1_000_000 });
    world.emulator.order({ kind: "CreateMultipartUpload", fault: BUSY, count: 1_000_000 });
    await files.save("returned", Buffer.from("content"));
    const handle = await files.create("waiting");
    await files.write(handle, 0, randomContent(3 * MIB));
    const interrupt = new AbortController();
    const closing = files.close(handle, interrupt.signal).catch(() => undefined);
    await expect
      .poll(() => running.publisher.pending().map(({ state }) => state))
      .toEqual(["completing", "closed"]);
    const copied = world.startAfterPowerLoss(running);
    interrupt.abort();
    await closing;
    const after = await copied;
    for (const order of world.emulator.orders()) order.cancel();
    await drained(after);
    await expectInBucket("returned", Buffer.from("content"));
    expect(await inBucket("waiting")).toBeUndefined();
    expect(after.publisher.pending()).toMatchObject([{ path: "waiting", state: "interrupted" }]);
  });
});

describe("attributes and reading", () => {
  test("S6.2 S6.4 changing attributes of an object copies nothing, and they stay over a restart; atime does not", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    await files.save("a", Buffer.from("content"));
    await running.filesystem.setattr(request(), await files.ino("a"), {
      mode: 0o600,
      mtimeMs: 5000,
      uid: 7,
      atimeMs: 9000,
    });
    await running.stop();
    const second = new Driver((await world.start()).filesystem);
    expect(await second.stat("a")).toMatchObject({
      mode: 0o100600,
      mtimeMs: 5000,
      uid: 7,
      atimeMs: 5000,
    });
    expect(count("CopyObject")).toBe(0);
  });

  test("S7.2 what another client does shows when the listing's time to live is over", async () => {
    const { files } = await begin({ listTtlMs: 50 });
    expect(await files.list("")).toEqual([]);
    await putForeign("new", Buffer.from("1"));
    await expect.poll(() => files.list("")).toEqual(["new"]);
  });

  test("S7.3 a lookup gives up after its deadline; a read that is interrupted ends at once", async () => {
    const { running, files } = await begin({ deadlineMs: 300 });
    await putForeign("a", Buffer.from("content"));
    await putForeign("sub/there", Buffer.from("content"));
    const handle = await files.open("a", { write: false });
    world.emulator.order({ kind: "any", fault: BUSY, count: 1_000_000 });
    await expect(files.list("")).resolves.toEqual(["a", "sub"]); // still known
    running.filesystem.forget(await files.ino("a"), 100);
    await expect(files.stat("sub/x")).rejects.toMatchObject({ code: "Unavailable" });
    const interrupt = new AbortController();
    const reading = running.filesystem.read(request({ signal: interrupt.signal }), handle, 0, 7);
    interrupt.abort();
    await expect(reading).rejects.toMatchObject({ code: "Interrupted" });
    await running.filesystem.release(handle);
  });
});
