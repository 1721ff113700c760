// Objects in an archive: shown, not read, not damaged, restored. And what the mount tells of its files by xattrs.

import { describe, expect, test } from "vitest";
import type { Ino } from "../../src/model/mod.ts";
import {
  begin,
  count,
  endWorldAfterEach,
  expectInBucket,
  putForeign,
  world,
} from "../support/scene.ts";
import { drained, LIVE_CLOSE, type Running, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;
const signal = new AbortController().signal;
const ARCHIVED = { code: "Archived", message: expect.stringContaining("restore PATH") as unknown };

endWorldAfterEach();

const classOf = (key: string): string | undefined =>
  world.emulator.objects("bucket").find((object) => object.key === key)?.storageClass;

async function told(running: Running, ino: Ino, name: string): Promise<string> {
  const bytes = Buffer.from(`user.kodomount.${name}`);
  return Buffer.from(await running.filesystem.getxattr(request(), ino, bytes)).toString();
}

describe("archived objects", () => {
  test("S7.21 are shown, and not read before they were restored", async () => {
    const { running, files } = await begin({ restoreMs: 100 });
    const { archives } = running.filesystem;
    const content = randomContent(1000);
    await putForeign("d/old", content, {}, "GLACIER");
    expect((await files.stat("d/old")).size).toBe(1000);
    await expect(files.read("d/old")).rejects.toMatchObject(ARCHIVED);
    expect(await archives.restore("d/old", 3, signal)).toEqual([
      { path: "d/old", state: "restoring" },
    ]);
    // Asked for again it is no error.
    expect(await archives.restore("d/old", 3, signal)).toMatchObject([{ path: "d/old" }]);
    await expect
      .poll(() => archives.status("d/old", signal))
      .toMatchObject({ state: "restored", untilMs: expect.any(Number) as unknown });
    expect((await files.read("d/old")).equals(content)).toBe(true);
    expect(count("RestoreObject")).toBeGreaterThan(0);
  });

  test("S7.21 of a directory all that are archived are asked for", async () => {
    const { running } = await begin();
    const { archives } = running.filesystem;
    for (const name of ["a", "b", "deep/c"])
      await putForeign(`dir/${name}`, Buffer.from(name), {}, "DEEP_ARCHIVE");
    await putForeign("dir/plain", Buffer.from("x"));
    const restored = await archives.restore("dir", 1, signal);
    expect(restored.map(({ path }) => path)).toEqual(["dir/a", "dir/b", "dir/deep/c"]);
    expect(count("RestoreObject")).toBe(3);
  });

  test("S7.21 what cannot be restored says why: not archived, not there, not in the bucket yet", async () => {
    const { running, files } = await begin();
    const { archives } = running.filesystem;
    await putForeign("plain", Buffer.from("x"));
    await files.create("pending");
    const restore = (path: string) => archives.restore(path, 1, signal);
    await expect(restore("plain")).rejects.toMatchObject({ code: "Invalid" });
    await expect(restore("gone")).rejects.toMatchObject({ code: "NotFound" });
    await expect(restore("pending")).rejects.toMatchObject({ code: "Busy" });
    await expect(restore("")).rejects.toMatchObject({ code: "Invalid" });
  });

  test("S7.22 renaming, appending, cutting: refused, and nothing is lost or left pending", async () => {
    const { running, files } = await begin();
    const content = randomContent(3 * MIB);
    await putForeign("d/old", content, {}, "GLACIER");
    await expect(files.rename("d/old", "d/new")).rejects.toMatchObject(ARCHIVED);
    await expect(files.rename("d", "e")).rejects.toMatchObject(ARCHIVED);
    await expect(files.truncate("d/old", 5)).rejects.toMatchObject(ARCHIVED);
    const handle = await files.open("d/old");
    await expect(files.write(handle, 3 * MIB, Buffer.from("more"))).rejects.toMatchObject(ARCHIVED);
    await files.close(handle);
    const from = await files.open("d/old", { write: false });
    const to = await files.create("copy");
    const copy = running.filesystem.copyRange(
      request(),
      { handle: from, offset: 0 },
      { handle: to, offset: 0 },
      3 * MIB,
    );
    await expect(copy).rejects.toMatchObject({ code: "NotSupported" });
    await files.close(to);
    await running.filesystem.release(from);
    await files.unlink("copy");
    await drained(running);
    expect(await files.list("d")).toEqual(["old"]);
    await running.filesystem.archives.restore("d/old", 1, signal);
    await files.rename("d/old", "d/new");
    await drained(running);
    expect(classOf("d/new")).toBe("GLACIER");
    await running.filesystem.archives.restore("d/new", 1, signal);
    await expectInBucket("d/new", content);
  });

  test("S7.22 it can be replaced, emptied and removed", async () => {
    const { running, files } = await begin();
    for (const name of ["a", "b", "c"]) await putForeign(name, randomContent(100), {}, "GLACIER");
    await files.save("a", Buffer.from("new"));
    await files.truncate("b", 0);
    await files.unlink("c");
    await drained(running);
    expect(await files.list("")).toEqual(["a", "b"]);
    expect((await files.read("a")).toString()).toBe("new");
    expect((await files.stat("b")).size).toBe(0);
    expect(classOf("a")).toBe("STANDARD");
  });

  test("S7.22 what is archived while its renaming is under way waits, and goes on when it was restored", async () => {
    const { running, files } = await begin();
    await putForeign("old", Buffer.from("content"));
    await files.stat("old");
    // By a rule of the bucket, between the listing and the copy.
    await putForeign("old", Buffer.from("content"), {}, "GLACIER");
    await files.rename("old", "new");
    await expect
      .poll(() => running.publisher.pending().map(({ error }) => error))
      .toContainEqual(expect.stringContaining("InvalidObjectState"));
    await running.filesystem.archives.restore("new", 1, signal);
    await drained(running);
    expect(world.emulator.objects("bucket").map(({ key }) => key)).toEqual(["new"]);
  });
});

describe("--storage-class", () => {
  const storageClasses = [
    { pattern: "*.ckpt", storageClass: "GLACIER" },
    { pattern: "cool", storageClass: "LINE" },
  ];

  test("S7.24 what is saved has the class of its name, small and large; links and directories have the usual one", async () => {
    const { running, files } = await begin({ storageClasses });
    const large = randomContent(3 * MIB);
    await files.save("small.ckpt", Buffer.from("content"));
    await files.save("large.ckpt", large);
    await files.save("plain", Buffer.from("content"));
    await files.mkdir("cool");
    await files.save("cool/below", Buffer.from("content"));
    const { parent, name } = await files.parent("link.ckpt");
    await running.filesystem.symlink(request(), parent, name, Buffer.from("plain"));
    await drained(running);
    expect(
      Object.fromEntries(world.emulator.objects("bucket").map((o) => [o.key, o.storageClass])),
    ).toEqual({
      "cool/": "STANDARD",
      "cool/below": "LINE",
      "large.ckpt": "GLACIER",
      "link.ckpt": "STANDARD",
      plain: "STANDARD",
      "small.ckpt": "GLACIER",
    });
    await expect(files.read("large.ckpt")).rejects.toMatchObject(ARCHIVED);
    // Saved again over itself: what the store has archived is not copied from, but sent.
    const changed = Buffer.concat([large.subarray(0, 2 * MIB), randomContent(MIB)]);
    await files.save("large.ckpt", changed);
    await drained(running);
    await running.filesystem.archives.restore("large.ckpt", 1, signal);
    await expectInBucket("large.ckpt", changed);
  });

  test("S7.24 a rename gives the class of the new name, or keeps what another client has chosen, in one request or by parts", async () => {
    const { running, files } = await begin({ storageClasses, copySizeMax: MIB });
    const large = randomContent(3 * MIB);
    // First: what others do shows only when a listing has become old.
    await putForeign("chosen", randomContent(3 * MIB), {}, "GLACIER_IR");
    await putForeign("usual", Buffer.from("x"));
    await files.save("model.tmp", large);
    await drained(running);
    await files.rename("model.tmp", "model.ckpt");
    await files.rename("chosen", "chosen.ckpt");
    await files.rename("usual", "usual.bak");
    await drained(running);
    expect(["model.ckpt", "chosen.ckpt", "usual.bak"].map(classOf)).toEqual([
      "GLACIER",
      "GLACIER_IR",
      "STANDARD",
    ]);
  });

  test("S7.24 a file that is not in the bucket yet has the class of the name that it gets", async () => {
    const { running, files } = await begin({ storageClasses, closeMode: "local" });
    await files.save("a.tmp", randomContent(2 * MIB));
    await files.rename("a.tmp", "a.ckpt");
    await files.save("b.ckpt", Buffer.alloc(0));
    const handle = await files.open("b.ckpt", { truncate: true });
    await files.write(handle, 0, Buffer.from("more"));
    await files.close(handle);
    await drained(running);
    expect(["a.ckpt", "b.ckpt"].map(classOf)).toEqual(["GLACIER", "GLACIER"]);
  });
});

describe("user.kodomount.*", () => {
  test("S7.23 tell key, version, class and state of what is in the bucket and of what is not yet", async () => {
    const { running, files } = await begin();
    await putForeign("d/cold", Buffer.from("x"), {}, "GLACIER");
    const ino = await files.ino("d/cold");
    expect(await told(running, ino, "key")).toBe("d/cold");
    expect(await told(running, ino, "storage_class")).toBe("GLACIER");
    expect(await told(running, ino, "state")).toBe("archived");
    expect(await told(running, ino, "etag")).toMatch(/^[^"]+$/);
    expect(await told(running, await files.ino("d"), "key")).toBe("d/");
    const handle = await files.create("new");
    const created = await files.ino("new");
    expect(await told(running, created, "state")).toBe("open");
    await expect(told(running, created, "etag")).rejects.toMatchObject({ code: "NoAttribute" });
    await running.filesystem.flush(request(), handle, LIVE_CLOSE);
    await running.filesystem.release(handle);
    await drained(running);
    expect(await told(running, created, "state")).toBe("stored");
    expect(await told(running, created, "storage_class")).toBe("STANDARD");
  });

  test("S7.23 are not listed, and cannot be set or removed", async () => {
    const { running, files } = await begin();
    await files.save("a", Buffer.from("content"));
    const ino = await files.ino("a");
    const { filesystem } = running;
    const name = Buffer.from("user.kodomount.state");
    const value = { bytes: Buffer.from("stored"), mode: "set" } as const;
    const refused = { code: "NotPermitted" };
    await expect(filesystem.setxattr(request(), ino, name, value)).rejects.toMatchObject(refused);
    await expect(filesystem.removexattr(request(), ino, name)).rejects.toMatchObject(refused);
    await expect(told(running, ino, "nonsense")).rejects.toMatchObject({ code: "NoAttribute" });
    expect(await filesystem.listxattr(request(), ino)).toEqual([]);
  });
});
