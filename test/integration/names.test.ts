// Renames, removals, directories, the order in which things become visible, and other clients.

import { describe, expect, test } from "vitest";
import { toKey } from "../../src/model/mod.ts";
import {
  again,
  begin,
  count,
  endWorldAfterEach,
  expectInBucket,
  inBucket,
  world,
} from "../support/scene.ts";
import { drained, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;

endWorldAfterEach();

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

  test("S5.14 a directory cannot be moved into itself, and stays as it was", async () => {
    const { files } = await begin({ closeMode: "strict" });
    await files.mkdir("d");
    await files.save("d/a", Buffer.from("1"));
    await files.mkdir("d/e");
    for (const to of ["d/x", "d/e/x"])
      await expect(files.rename("d", to)).rejects.toMatchObject({ code: "Invalid" });
    await files.rename("d", "d");
    expect(await files.list("d")).toEqual(["a", "e"]);
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

test("regression: a rename right after a close goes along with what is being published", async () => {
  const { running, files } = await begin();
  for (let index = 0; index < 10; index += 1) {
    await files.save(`a${index}`, Buffer.from([index]));
    await files.rename(`a${index}`, `c${index}`);
  }
  await drained(running);
  expect(running.publisher.pending()).toEqual([]);
  const keys = world.emulator.objects("bucket").map(({ key }) => key);
  expect(keys.sort()).toEqual(Array.from({ length: 10 }, (_, index) => `c${index}`));
});

test("regression: publishing an interrupted save in the run that interrupted it", async () => {
  const { running, files } = await begin();
  const content = randomContent(3 * MIB);
  const handle = await files.create("big");
  await files.write(handle, 0, content);
  const killed = { end: "killed", tgid: 1000, heldElsewhere: false } as const;
  await running.filesystem.flush(request(), handle, killed);
  await running.filesystem.release(handle);
  const save = running.publisher.find(toKey("big"))?.interrupted;
  if (save === undefined) throw new Error("it is interrupted");
  await running.publisher.act("publish", save);
  await drained(running);
  await expectInBucket("big", content);
});

test("regression: an upload that is being created when its file is renamed away is not left over", async () => {
  const { running, files } = await begin({ closeMode: "local" });
  const slow = { kind: "slow", delayMs: 500 } as const;
  world.emulator.order({ kind: "CreateMultipartUpload", fault: slow, count: 1 });
  await files.save("a", randomContent(2 * MIB));
  await expect.poll(() => world.emulator.orders()[0]?.fired).toBe(1);
  await files.rename("a", "b");
  await files.unlink("b");
  await drained(running);
  await expect.poll(() => count("CreateMultipartUpload", "a")).toBe(1);
  await expect.poll(() => world.emulator.uploads()).toEqual([]);
  expect(world.emulator.objects("bucket")).toEqual([]);
  await expect.poll(async () => (await running.catalog.contents()).uploads).toEqual([]);
});

describe("renames of directories", () => {
  test("S5.3 an empty one, just made and long since, and one that is renamed again and again", async () => {
    const { running, files } = await begin();
    await files.mkdir("new");
    await files.rename("new", "newer");
    await drained(running);
    await files.rename("newer", "newest");
    expect(await files.list("")).toEqual(["newest"]);
    await files.rename("newest", "last");
    await drained(running);
    expect(await files.list("")).toEqual(["last"]);
    expect(world.emulator.objects("bucket").map(({ key }) => key)).toEqual(["last/"]);
  });

  test("S5.3 one whose files are being committed in this very moment: all of it is moved, nothing is left behind", async () => {
    const { running, files } = await begin();
    const names = Array.from({ length: 12 }, (_, index) => `f${String(index).padStart(2, "0")}`);
    for (const round of ["1", "2", "3", "4"]) {
      await files.mkdir(`${round}.tmp`);
      for (const name of names) await files.save(`${round}.tmp/${name}`, Buffer.from(round + name));
      await files.rename(`${round}.tmp`, round);
      expect(await files.list(round)).toEqual(names);
      expect((await files.read(`${round}/f05`)).toString()).toBe(`${round}f05`);
    }
    await drained(running);
    expect(await files.list("")).toEqual(["1", "2", "3", "4"]);
    const keys = world.emulator.objects("bucket").map(({ key }) => key);
    expect(keys.filter((key) => key.includes(".tmp"))).toEqual([]);
    expect(keys).toHaveLength(4 * 13);
    for (const name of names) expect((await inBucket(`3/${name}`))?.toString()).toBe(`3${name}`);
  });
});

describe("right after a close", () => {
  test("S2.11 a rename, new times and another mode of a small file cost nothing: one PutObject under the last name", async () => {
    const { running, files } = await begin();
    await files.save("config.lock", Buffer.from("content"));
    await files.rename("config.lock", "config");
    await running.filesystem.setattr(request(), await files.ino("config"), {
      mode: 0o640,
      mtimeMs: 1_500_000_000_000,
    });
    await drained(running);
    expect(count("PutObject")).toBe(1);
    expect(count("CopyObject") + count("DeleteObject")).toBe(0);
    expect((await world.bucket().head(toKey("config")))?.metadata).toMatchObject({
      mode: String(0o100640),
      mtime: "1500000000.000000000",
    });
  });

  test("S2.11 who waits for the bucket does not wait for that", async () => {
    const { running, files } = await begin({ lagMs: 3_600_000 });
    await files.save("a", Buffer.from("content"));
    running.publisher.hurry();
    await drained(running);
    expect((await inBucket("a"))?.toString()).toBe("content");
  });
});
