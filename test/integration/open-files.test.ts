// Files that are open while their name goes or their content is replaced: by a removal, a rename over them, a newer save.

import { describe, expect, test } from "vitest";
import type { OpenFlags } from "../../src/fs/mod.ts";
import type { HandleId } from "../../src/model/mod.ts";
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
const READ: Partial<OpenFlags> = { write: false };

endWorldAfterEach();

async function readAll(running: Running, handle: HandleId, size: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < size; at += MIB / 2)
    pieces.push(
      Buffer.from(
        await running.filesystem.read(request(), handle, at, Math.min(MIB / 2, size - at)),
      ),
    );
  return Buffer.concat(pieces);
}

async function expectNothingLeft(running: Running): Promise<void> {
  await expect.poll(() => running.spill.listSaves()).toEqual([]);
  expect(running.filesystem.openHandles).toBe(0);
  expect(running.background.failures).toBe(0);
}

describe("a file that is open and removed", () => {
  test("S5.4 in the bucket: its reader goes on, the object is deleted once its bytes are here", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    const content = randomContent(3 * MIB + 17);
    await files.save("a", content);
    const handle = await files.open("a", READ);
    await files.unlink("a");
    expect(await files.list("")).toEqual([]);
    await drained(running);
    expect(await inBucket("a")).toBeUndefined();
    expect((await readAll(running, handle, content.length)).equals(content)).toBe(true);
    await running.filesystem.release(handle);
    await expectNothingLeft(running);
  });

  test("S5.4 still to be published: its reader goes on, and nothing is published", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    world.emulator.order({ kind: "PutObject", fault: { kind: "slow", delayMs: 300 }, count: 9 });
    await files.save("first", Buffer.from("1"));
    await files.save("a", Buffer.from("content"));
    const handle = await files.open("a", READ);
    await files.unlink("a");
    expect((await readAll(running, handle, 7)).toString()).toBe("content");
    await drained(running);
    expect((await readAll(running, handle, 7)).toString()).toBe("content");
    expect(await inBucket("a")).toBeUndefined();
    await running.filesystem.release(handle);
    await expectNothingLeft(running);
  });

  test("S5.4 being written: it is read, cut, synced and written as before, has no link and leaves nothing", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    await files.save("a", randomContent(3 * MIB));
    const handle = await files.open("a");
    const ino = await files.ino("a");
    await files.write(handle, MIB + 5, Buffer.from("early"));
    await files.unlink("a");
    await files.write(handle, 2 * MIB, Buffer.from("late"));
    await running.filesystem.setattr(request(), ino, { size: 2 * MIB + 4 });
    await running.filesystem.fsync(request(), handle, false);
    expect(await running.filesystem.getattr(request(), ino)).toMatchObject({
      nlink: 0,
      size: 2 * MIB + 4,
    });
    const read = await readAll(running, handle, 2 * MIB + 4);
    expect(read.subarray(MIB + 5, MIB + 10).toString()).toBe("early");
    expect(read.subarray(2 * MIB).toString()).toBe("late");
    await files.close(handle);
    await drained(running);
    expect(world.emulator.objects("bucket")).toEqual([]);
    await expectNothingLeft(running);
  });

  test("S5.4 a reader may be opened for writing by its inode, and the last of them ends it", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    await files.save("a", Buffer.from("content"));
    const ino = await files.ino("a");
    const reader = await files.open("a", READ);
    const writer = await files.open("a");
    await files.unlink("a");
    await files.write(writer, 7, Buffer.from(" and more"));
    await files.close(writer);
    expect((await readAll(running, reader, 16)).toString()).toBe("content and more");
    expect((await running.filesystem.getattr(request(), ino)).nlink).toBe(0);
    await running.filesystem.release(reader);
    await drained(running);
    await expectNothingLeft(running);
  });

  test("S5.4 a crash forgets it: nothing of it is interrupted, and the removal is done", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    await files.save("a", randomContent(2 * MIB));
    world.emulator.order({ kind: "GetObject", fault: { kind: "stall", afterBytes: 0 }, count: 1 });
    const handle = await files.open("a");
    await files.unlink("a");
    await files.write(handle, 0, Buffer.from("never seen"));
    await running.stop();
    const next = await again();
    await drained(next.running);
    expect(next.running.publisher.pending()).toEqual([]);
    expect(world.emulator.objects("bucket")).toEqual([]);
    await expectNothingLeft(next.running);
  });

  test("S5.4 more than the spill has room for: deleted all the same, and its reader gets ESTALE", async () => {
    const { running, files } = await begin({
      closeMode: "strict",
      spillLimit: 4 * MIB,
      listTtlMs: 1,
    });
    await files.save("a", randomContent(3 * MIB));
    await drained(running);
    await putForeign("large", randomContent(5 * MIB));
    const handle = await files.open("large", READ);
    await files.unlink("large");
    await drained(running);
    expect(await inBucket("large")).toBeUndefined();
    await expect(running.filesystem.read(request(), handle, 0, 10)).rejects.toMatchObject({
      code: "Stale",
    });
    await running.filesystem.release(handle);
    await expectNothingLeft(running);
  });
});

describe("a file that is open and replaced", () => {
  test("S5.4 by a rename over it: its reader keeps the old content, the name has the new one", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    const [before, after] = [randomContent(3 * MIB), randomContent(2 * MIB + 1)];
    await files.save("model", before);
    const reader = await files.open("model", READ);
    const writer = await files.create("model.tmp");
    await files.write(writer, 0, after);
    await files.rename("model.tmp", "model");
    await files.close(writer);
    await drained(running);
    await expectInBucket("model", after);
    expect((await readAll(running, reader, before.length)).equals(before)).toBe(true);
    expect((await files.read("model")).equals(after)).toBe(true);
    await running.filesystem.release(reader);
    await expectNothingLeft(running);
  });

  test("S5.4 by the rename of an object over it: the copy waits until the old bytes are here", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    const [before, after] = [randomContent(3 * MIB), randomContent(MIB)];
    await files.save("model", before);
    await files.save("next", after);
    const reader = await files.open("model", READ);
    await files.rename("next", "model");
    await drained(running);
    await expectInBucket("model", after);
    expect(await inBucket("next")).toBeUndefined();
    expect((await readAll(running, reader, before.length)).equals(before)).toBe(true);
    await running.filesystem.release(reader);
    await expectNothingLeft(running);
  });

  test("S5.4 what is only being copied to its name is kept from where it comes", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    const content = randomContent(2 * MIB);
    await files.save("a", content);
    world.emulator.order({ kind: "CopyObject", fault: { kind: "slow", delayMs: 500 }, count: 1 });
    await files.rename("a", "b");
    const reader = await files.open("b", READ);
    await files.unlink("b");
    expect((await readAll(running, reader, content.length)).equals(content)).toBe(true);
    await drained(running);
    expect(world.emulator.objects("bucket")).toEqual([]);
    expect((await readAll(running, reader, content.length)).equals(content)).toBe(true);
    await running.filesystem.release(reader);
    await expectNothingLeft(running);
  });

  test("S7.1 by a newer save of the same file: whoever has it open reads the new version", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    await files.save("a", randomContent(3 * MIB));
    const reader = await files.open("a", READ);
    await readAll(running, reader, 10);
    const after = randomContent(2 * MIB);
    const writer = await files.open("a", { truncate: true });
    expect(await readAll(running, reader, 10)).toHaveLength(0);
    await files.write(writer, 0, after);
    await running.filesystem.flush(request(), writer, LIVE_CLOSE);
    await drained(running);
    expect((await readAll(running, reader, after.length)).equals(after)).toBe(true);
    await files.write(writer, 0, Buffer.from("once more"));
    await running.filesystem.flush(request(), writer, LIVE_CLOSE);
    await drained(running);
    expect((await readAll(running, reader, 9)).toString()).toBe("once more");
    await running.filesystem.release(writer);
    await running.filesystem.release(reader);
    await expectNothingLeft(running);
  });

  test("S5.1 reads go on while the file moves in the bucket", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    const content = randomContent(3 * MIB);
    await files.save("a", content);
    const reader = await files.open("a", READ);
    world.emulator.order({ kind: "GetObject", fault: { kind: "slow", delayMs: 200 }, count: 3 });
    const moved = files.rename("a", "b");
    expect((await readAll(running, reader, content.length)).equals(content)).toBe(true);
    await moved;
    await drained(running);
    expect((await readAll(running, reader, content.length)).equals(content)).toBe(true);
    await running.filesystem.release(reader);
    expect(count("GetObject")).toBeGreaterThan(0);
    await expectNothingLeft(running);
  });
});

describe("renames in a chain", () => {
  test("S5.1 a name that is renamed away twice, and saved anew in between, does not wait for itself", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    await files.save("latest", Buffer.from("old"));
    await drained(running);
    world.emulator.order({ kind: "CopyObject", fault: { kind: "slow", delayMs: 300 }, count: 9 });
    await files.rename("latest", "previous");
    await files.save("latest", Buffer.from("new"));
    await files.rename("previous", "older");
    await drained(running);
    expect((await inBucket("latest"))?.toString()).toBe("new");
    expect((await inBucket("older"))?.toString()).toBe("old");
    expect(await inBucket("previous")).toBeUndefined();
  });

  test("S5.1 two names that are swapped by a third: both contents arrive", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    await files.save("a", Buffer.from("1"));
    await files.save("b", Buffer.from("2"));
    await drained(running);
    world.emulator.order({ kind: "CopyObject", fault: { kind: "slow", delayMs: 200 }, count: 3 });
    await files.rename("a", "t");
    await files.rename("b", "a");
    await files.rename("t", "b");
    expect([await files.read("a"), await files.read("b")].map(String)).toEqual(["2", "1"]);
    await drained(running);
    expect([await inBucket("a"), await inBucket("b")].map(String)).toEqual(["2", "1"]);
    expect(await inBucket("t")).toBeUndefined();
  });

  test("S5.1 a name that is taken by a rename while its own content is still being copied elsewhere", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    await files.mkdir("d");
    await files.save("a", Buffer.from("1"));
    await files.save("c", Buffer.from("2"));
    await drained(running);
    world.emulator.order({ kind: "CopyObject", fault: { kind: "slow", delayMs: 300 }, count: 1 });
    await files.rename("a", "d/b");
    await files.rename("c", "a");
    await drained(running);
    expect((await inBucket("d/b"))?.toString()).toBe("1");
    expect((await inBucket("a"))?.toString()).toBe("2");
  });
});

test("S5.4 a reader that has a file open while it is changed here, again and again, sees it whole and of the right size", async () => {
  const { running, files } = await begin({ closeMode: "strict" });
  const size = 3 * 1024 * 1024;
  await files.save("x", Buffer.alloc(size, "a"));
  let isOver = false;
  const seen = { looks: 0, wrongSize: 0, short: 0 };
  const looking = (async () => {
    while (!isOver) {
      const handle = await files.open("x", { write: false });
      if ((await files.stat("x")).size !== size) seen.wrongSize += 1;
      const end = await running.filesystem.read(request(), handle, size - 100, 100);
      if (end.length !== 100) seen.short += 1;
      await running.filesystem.release(handle);
      seen.looks += 1;
    }
  })();
  for (let round = 0; round < 15; round += 1) {
    const handle = await files.open("x");
    await files.write(handle, round, Buffer.from("b"));
    await files.close(handle);
  }
  isOver = true;
  await looking;
  expect(seen.looks).toBeGreaterThan(0);
  expect(seen).toMatchObject({ wrongSize: 0, short: 0 });
});

describe("renames of more than one request takes", () => {
  test("S5.1 a large object is copied by parts, and the copy begins anew after an end in its middle", async () => {
    const { running, files } = await begin({ closeMode: "strict", copySizeMax: MIB });
    const content = randomContent(4 * MIB + 5);
    await files.save("a", content);
    await drained(running);
    world.emulator.order({
      kind: "UploadPartCopy",
      fault: { kind: "slow", delayMs: 400 },
      count: 5,
    });
    await files.rename("a", "b");
    expect((await files.read("b")).equals(content)).toBe(true);
    await expect.poll(() => count("UploadPartCopy", "b"), { timeout: 10_000 }).toBeGreaterThan(1);
    await running.stop();
    expect(await inBucket("b")).toBeUndefined();
    const next = await again();
    await drained(next.running);
    await expectInBucket("b", content);
    expect(await inBucket("a")).toBeUndefined();
    await expect.poll(() => world.emulator.uploads(), { timeout: 10_000 }).toEqual([]);
  });

  test("S5.1 its source is changed by another client in the middle: the newer content arrives, whole", async () => {
    const { running, files } = await begin({ closeMode: "strict", copySizeMax: MIB });
    await files.save("a", randomContent(4 * MIB));
    await drained(running);
    world.emulator.order({
      kind: "UploadPartCopy",
      fault: { kind: "slow", delayMs: 300 },
      count: 4,
    });
    await files.rename("a", "b");
    await expect.poll(() => count("UploadPartCopy", "b"), { timeout: 10_000 }).toBeGreaterThan(0);
    const newer = randomContent(3 * MIB);
    await putForeign("a", newer);
    await drained(running);
    await expectInBucket("b", newer);
    expect(await inBucket("a")).toBeUndefined();
    await expect.poll(() => world.emulator.uploads(), { timeout: 10_000 }).toEqual([]);
  });

  test("S5.3 a directory is renamed as a whole or not at all: one busy file in it refuses all", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    await files.mkdir("d");
    for (const name of ["a", "b", "c"]) await files.save(`d/${name}`, Buffer.from(name));
    await drained(running);
    world.emulator.order({ kind: "PutObject", fault: { kind: "stall", afterBytes: 0 }, count: 1 });
    await files.save("d/b", Buffer.from("newer"));
    const isCompleting = (): boolean =>
      running.publisher.pending().some(({ state }) => state === "completing");
    await expect.poll(isCompleting).toBe(true);
    await expect(files.rename("d", "e")).rejects.toMatchObject({ code: "Busy" });
    expect(await files.list("d")).toEqual(["a", "b", "c"]);
    await drained(running);
    await files.rename("d", "e");
    await drained(running);
    const objects = world.emulator.objects("bucket").map(({ key }) => key);
    expect(objects).toEqual(["e/", "e/a", "e/b", "e/c"]);
    expect((await inBucket("e/b"))?.toString()).toBe("newer");
  });

  test("S5.2 an appended-to file is renamed without a download, and its old name goes after that", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const content = randomContent(4 * MIB);
    await files.save("a", content);
    await drained(running);
    const handle = await files.open("a");
    await files.write(handle, 4 * MIB, Buffer.from("more"));
    world.emulator.order({
      kind: "UploadPartCopy",
      fault: { kind: "slow", delayMs: 300 },
      count: 8,
    });
    await files.close(handle);
    await files.rename("a", "b");
    await drained(running);
    await expectInBucket("b", Buffer.concat([content, Buffer.from("more")]));
    expect(await inBucket("a")).toBeUndefined();
    expect(count("GetObject", "a")).toBe(0);
  });

  test("S5.13 two names are not exchanged in one step", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    await files.save("a", Buffer.from("1"));
    await files.save("b", Buffer.from("2"));
    const [from, to] = [await files.parent("a"), await files.parent("b")];
    const flags = { noReplace: false, exchange: true };
    await expect(running.filesystem.rename(request(), from, to, flags)).rejects.toMatchObject({
      code: "Invalid",
    });
    expect(String(await files.read("a"))).toBe("1");
  });
});
