// Pipes and sockets: of this mount only, among what is in the bucket.

import { describe, expect, test } from "vitest";
import { S_IFIFO, S_IFMT, S_IFSOCK } from "../../src/model/mod.ts";
import { again, begin, endWorldAfterEach, inBucket, world } from "../support/scene.ts";
import { drained, request } from "../support/world.ts";

endWorldAfterEach();

describe("pipes and sockets", () => {
  test("S1.7 they are listed with their type, have attributes, and nothing of them is sent", async () => {
    const { running, files } = await begin();
    await files.mkdir("d");
    await files.mknod("d/pipe", S_IFIFO | 0o640);
    await files.mknod("d/socket", S_IFSOCK | 0o755);
    const ino = await files.ino("d/pipe");
    await running.filesystem.setattr(request(), ino, { mode: 0o600, uid: 12, mtimeMs: 5000 });
    expect(await files.stat("d/pipe")).toMatchObject({
      ...{ ino, mode: S_IFIFO | 0o600, uid: 12, mtimeMs: 5000, size: 0, nlink: 1 },
    });
    const handle = await running.filesystem.opendir(request(), await files.ino("d"));
    const types = (await running.filesystem.readdir(request(), handle, 0)).map((each) => each.type);
    expect(types.slice(2)).toEqual([S_IFIFO, S_IFSOCK]);
    await expect(files.mknod("d/pipe", S_IFIFO)).rejects.toMatchObject({ code: "Exists" });
    await expect(files.mkdir("d/pipe")).rejects.toMatchObject({ code: "Exists" });
    await expect(files.mknod("d/null", 0o020666)).rejects.toMatchObject({ code: "NotPermitted" });
    await drained(running);
    expect(world.emulator.objects("bucket").map(({ key }) => key)).toEqual(["d/"]);
  });

  test("S1.7 a directory that holds one is not empty, and takes it along when it is renamed", async () => {
    const { running, files } = await begin();
    await files.mkdir("d");
    await files.mknod("d/pipe", S_IFIFO | 0o644);
    await expect(files.rmdir("d")).rejects.toMatchObject({ code: "NotEmpty" });
    const ino = await files.ino("d/pipe");
    await files.rename("d", "e");
    expect(await files.ino("e/pipe")).toBe(ino);
    await files.mkdir("f");
    await expect(files.rename("f", "e")).rejects.toMatchObject({ code: "NotEmpty" });
    await files.unlink("e/pipe");
    expect(await running.filesystem.getattr(request(), ino)).toMatchObject({ nlink: 0 });
    await files.rmdir("e");
    await drained(running);
    expect(await files.list("")).toEqual(["f"]);
  });

  test("S1.7 one replaces a file, and a file replaces one, by a rename", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    for (const name of ["a", "b", "c"]) await files.save(name, Buffer.from(name));
    await files.mknod("p", S_IFIFO | 0o644);
    await files.rename("p", "a");
    expect((await files.stat("a")).mode & S_IFMT).toBe(S_IFIFO);
    await files.mknod("q", S_IFIFO | 0o644);
    await files.rename("b", "q");
    await files.mknod("r", S_IFIFO | 0o644);
    await files.rename("r", "a");
    await drained(running);
    expect(await files.list("")).toEqual(["a", "c", "q"]);
    expect(world.emulator.objects("bucket").map(({ key }) => key)).toEqual(["c", "q"]);
    expect((await inBucket("q"))?.toString()).toBe("b");
    await files.mkdir("d");
    await expect(files.rename("a", "d")).rejects.toMatchObject({ code: "IsDirectory" });
    await expect(files.rename("d", "a")).rejects.toMatchObject({ code: "NotDirectory" });
  });

  test("S1.7 they end with the mount; what is in the bucket stays", async () => {
    const { running, files } = await begin();
    await files.save("file", Buffer.from("content"));
    await files.mknod("pipe", S_IFIFO | 0o644);
    await drained(running);
    await running.stop();
    const { files: later } = await again();
    expect(await later.list("")).toEqual(["file"]);
  });

  test("they have no content: who asks for it is told so", async () => {
    const { running, files } = await begin();
    await files.mknod("pipe", S_IFIFO | 0o644);
    const size = { size: 10 };
    const ino = await files.ino("pipe");
    await expect(running.filesystem.setattr(request(), ino, size)).rejects.toMatchObject({
      code: "Invalid",
    });
    await expect(files.open("pipe").then((h) => files.write(h, 0, Buffer.from("x"))))
      .rejects //
      .toMatchObject({ code: "Invalid" });
  });
});

test("S6.5 a rename moves ctime", async () => {
  const { running, files } = await begin();
  await files.save("a", Buffer.from("content"));
  await files.mkdir("d");
  await drained(running);
  const [file, directory] = [await files.stat("a"), await files.stat("d")];
  await files.rename("a", "b");
  await files.rename("d", "e");
  expect((await files.stat("b")).ctimeMs).toBeGreaterThan(file.ctimeMs);
  expect((await files.stat("e")).ctimeMs).toBeGreaterThan(directory.ctimeMs);
  expect((await files.stat("b")).mtimeMs).toBe(file.mtimeMs);
});
