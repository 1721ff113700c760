// What must not be trusted: keys that are no names, a spill that rots, a disk that is full, an object that others change.

import { readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toKey } from "../../src/model/mod.ts";
import { again, begin, endWorldAfterEach, putForeign, world } from "../support/scene.ts";
import { drained, LIVE_CLOSE, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;

endWorldAfterEach();

/** Spill files of the only save there is. */
async function spillFiles(): Promise<string[]> {
  const dir = join(world.stateDir, "spill");
  const [save] = (await readdir(dir)).filter((name) => /^[0-9a-f]{16}$/.test(name));
  const names = await readdir(join(dir, save ?? ""));
  return names.filter((name) => /^\d{5}\./.test(name)).map((name) => join(dir, save ?? "", name));
}

describe("keys of others", () => {
  test("S1.2 keys that cannot be file names are not shown, and stay; the rest is", async () => {
    const { files } = await begin();
    for (const key of ["a//b", "./c", "../d", "e/../f", "ok", "deep/ok"])
      await putForeign(key, Buffer.from(key));
    await putForeign(`${"n".repeat(256)}`, Buffer.from("long"));
    expect(await files.list("")).toEqual(["a", "deep", "e", "ok"]);
    expect(await files.list("a")).toEqual([]);
    expect((await files.read("deep/ok")).toString()).toBe("deep/ok");
    expect(world.emulator.objects("bucket").length).toBe(7);
  });

  test("S1.2 a key that is both an object and a prefix is shown as a directory", async () => {
    const { files } = await begin();
    await putForeign("x", Buffer.from("object"));
    await putForeign("x/y", Buffer.from("below"));
    await putForeign("z/", Buffer.alloc(0));
    expect(await files.list("")).toEqual(["x", "z"]);
    expect(await files.list("x")).toEqual(["y"]);
    expect(await files.list("z")).toEqual([]);
    expect((await files.stat("x")).mode & 0o170000).toBe(0o040000);
  });

  test("S7.1 an object that another client replaces while it is read answers ESTALE, never a mixture", async () => {
    const { running, files } = await begin();
    await putForeign("model", randomContent(4 * MIB));
    const handle = await files.open("model", { write: false });
    await running.filesystem.read(request(), handle, 0, 4096);
    await putForeign("model", randomContent(4 * MIB));
    await expect(running.filesystem.read(request(), handle, 3 * MIB, 4096)).rejects.toMatchObject({
      code: "Stale",
    });
    await running.filesystem.release(handle);
  });

  test("an object that another client replaces while it is appended to here: refused, both contents kept", async () => {
    const { running, files } = await begin();
    await putForeign("log", randomContent(3 * MIB));
    const handle = await files.open("log");
    await files.write(handle, 3 * MIB, Buffer.from("ours"));
    const theirs = randomContent(2 * MIB);
    await putForeign("log", theirs);
    await expect(running.filesystem.flush(request(), handle, LIVE_CLOSE)).rejects.toMatchObject({
      code: "Conflict",
    });
    await running.filesystem.release(handle);
    expect((await world.bucket().get({ key: toKey("log") })).bytes.equals(theirs)).toBe(true);
    expect(running.publisher.pending()).toMatchObject([{ path: "log", state: "parked" }]);
  });
});

describe("local state", () => {
  test("a spill file that rotted before it was sent is never published: parked, named, kept", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    world.emulator.order({
      kind: "PutObject",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1_000_000,
    });
    await files.save("a", randomContent(100_000));
    // It is hashed in the background after the close; what rots later is noticed.
    await expect
      .poll(async () => (await running.catalog.contents()).parts[0]?.content, { timeout: 10_000 })
      .toHaveProperty("sha256");
    await running.stop();
    for (const order of world.emulator.orders()) order.cancel();
    for (const file of await spillFiles()) {
      const bytes = await readFile(file);
      bytes.writeUInt8(bytes.readUInt8(500) ^ 1, 500);
      await writeFile(file, bytes);
    }
    const second = await again();
    await expect
      .poll(() => second.running.publisher.pending(), { timeout: 20_000 })
      .toMatchObject([{ path: "a", state: "parked" }]);
    expect(world.emulator.objects("bucket")).toEqual([]);
    expect((await spillFiles()).length).toBe(1);
  });

  test("a spill file that is shorter than what was closed is never published either", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    world.emulator.order({
      kind: "any",
      key: "big",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1_000_000,
    });
    await files.save("big", randomContent(3 * MIB));
    await running.stop();
    for (const order of world.emulator.orders()) order.cancel();
    const [first] = await spillFiles();
    await truncate(first ?? "", 1000);
    const second = await again();
    await expect
      .poll(() => second.running.publisher.pending(), { timeout: 20_000 })
      .toMatchObject([
        { path: "big", state: "parked", error: expect.stringContaining("Corrupt") as unknown },
      ]);
    expect(world.emulator.objects("bucket")).toEqual([]);
  });

  test("S2.9 a full spill: a file that must stay here whole, since it was fsynced, fails with ENOSPC that names the option, and is not published", async () => {
    const { running, files } = await begin({ spillLimit: 2 * MIB });
    const handle = await files.create("big");
    await files.write(handle, 0, randomContent(MIB));
    await files.fsync(handle);
    const writeOn = async (): Promise<void> => {
      for (let at = MIB; at < 6 * MIB; at += MIB) await files.write(handle, at, randomContent(MIB));
    };
    await expect(writeOn()).rejects.toMatchObject({
      code: "NoSpace",
      message: expect.stringContaining("--spill-limit") as unknown,
    });
    await expect(files.close(handle)).rejects.toMatchObject({ code: "NoSpace" });
    expect(running.publisher.pending()).toMatchObject([{ path: "big", state: "interrupted" }]);
    expect(world.emulator.objects("bucket")).toEqual([]);
  });

  test("a spill that is full of what is on its way makes writers wait, and loses nothing", async () => {
    const { running, files } = await begin({ spillLimit: 3 * MIB, closeMode: "local" });
    const contents = Array.from({ length: 6 }, () => randomContent(2 * MIB));
    for (const [index, content] of contents.entries()) await files.save(`f${index}`, content);
    await drained(running);
    for (const [index, content] of contents.entries())
      expect((await world.bucket().get({ key: toKey(`f${index}`) })).bytes.equals(content)).toBe(
        true,
      );
  });

  test("S1.1 a path that the bucket cannot hold is refused before anything is made", async () => {
    const { files } = await begin();
    const name = "d".repeat(250);
    await files.mkdir(name);
    await files.mkdir(`${name}/${name}`);
    await files.mkdir(`${name}/${name}/${name}`);
    await files.mkdir(`${name}/${name}/${name}/${name}`);
    await expect(files.mkdir(`${name}/${name}/${name}/${name}/${name}`)).rejects.toMatchObject({
      code: "NameTooLong",
    });
  });
});
