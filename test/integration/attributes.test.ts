// Attributes of files in every state: what is set holds at once, after the commit, after a restart and after a rename.

import { rm } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { Stat } from "../../src/fs/mod.ts";
import { type Ino, ROOT_INO } from "../../src/model/mod.ts";
import type { Driver } from "../support/driver.ts";
import { again, begin, count, endWorldAfterEach, putForeign, world } from "../support/scene.ts";
import { drained, type Running, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;
const BUSY = { kind: "status", status: 503, code: "SlowDown" } as const;
const DENIED = { kind: "status", status: 403, code: "AccessDenied" } as const;
const NAME = Buffer.from("user.note");

endWorldAfterEach();

interface Scene {
  running: Running;
  files: Driver;
}

interface State {
  readonly name: string;
  /** Brings `at` into this state; the result ends it. */
  readonly enter: (scene: Scene) => Promise<() => Promise<void>>;
  readonly at: string;
}

const nothing = async (): Promise<void> => undefined;

function relax(): void {
  for (const order of world.emulator.orders()) order.cancel();
}

/** What is closed after it in the same directory waits for its turn. */
async function stuck(files: Driver): Promise<void> {
  world.emulator.order({ kind: "PutObject", fault: BUSY, count: 1_000_000 });
  await files.save("first", Buffer.from("content"));
}

const STATES: readonly State[] = [
  {
    name: "new and empty",
    at: "a",
    enter: async ({ files }) => {
      const handle = await files.create("a");
      return () => files.close(handle);
    },
  },
  {
    name: "dirty",
    at: "a",
    enter: async ({ files }) => {
      const handle = await files.create("a");
      await files.write(handle, 0, randomContent(3 * MIB));
      return () => files.close(handle);
    },
  },
  {
    name: "closed and waiting",
    at: "a",
    enter: async ({ files }) => {
      await stuck(files);
      await files.save("a", Buffer.from("content"));
      return async () => relax();
    },
  },
  {
    name: "closed, and open again",
    at: "a",
    enter: async ({ files }) => {
      world.emulator.order({ kind: "PutObject", fault: BUSY, count: 1_000_000 });
      await files.save("a", Buffer.from("content"));
      const handle = await files.open("a");
      await files.write(handle, 0, Buffer.from("C"));
      return async () => {
        // It waits for the request that is under way.
        const closing = files.close(handle);
        relax();
        await closing;
      };
    },
  },
  {
    name: "completing",
    at: "a",
    enter: async ({ running, files }) => {
      const slow = { kind: "slow", delayMs: 2000 } as const;
      world.emulator.order({ kind: "PutObject", fault: slow, count: 1 });
      await files.save("a", Buffer.from("content"));
      await expect.poll(() => running.publisher.pending()[0]?.state).toBe("completing");
      return nothing;
    },
  },
  {
    name: "parked",
    at: "a",
    enter: async ({ running, files }) => {
      world.emulator.order({ kind: "PutObject", fault: DENIED, count: 1_000_000 });
      await files.save("a", Buffer.from("content"));
      await expect.poll(() => running.publisher.pending()[0]?.state).toBe("parked");
      return async () => relax();
    },
  },
  {
    name: "committed",
    at: "a",
    enter: async ({ running, files }) => {
      await files.save("a", Buffer.from("content"));
      await drained(running);
      return nothing;
    },
  },
  {
    name: "of another client",
    at: "a",
    enter: async () => {
      await putForeign("a", Buffer.from("content"));
      return nothing;
    },
  },
  {
    name: "being renamed",
    at: "b",
    enter: async ({ running, files }) => {
      await files.save("a", Buffer.from("content"));
      await drained(running);
      world.emulator.order({ kind: "CopyObject", fault: BUSY, count: 1_000_000 });
      await files.rename("a", "b");
      return async () => relax();
    },
  },
  {
    name: "a new directory",
    at: "d",
    enter: async ({ files }) => {
      await stuck(files);
      await files.mkdir("d");
      return async () => relax();
    },
  },
  {
    name: "a committed directory",
    at: "d",
    enter: async ({ running, files }) => {
      await files.mkdir("d");
      await drained(running);
      return nothing;
    },
  },
  {
    name: "a directory of another client, without a marker",
    at: "d",
    enter: async () => {
      await putForeign("d/e/f", Buffer.from("content"));
      return nothing;
    },
  },
  {
    name: "a directory that is being renamed",
    at: "e",
    enter: async ({ running, files }) => {
      await files.mkdir("d");
      await drained(running);
      world.emulator.order({ kind: "CopyObject", fault: BUSY, count: 1_000_000 });
      await files.rename("d", "e");
      return async () => relax();
    },
  },
  {
    name: "a symlink",
    at: "l",
    enter: async ({ running }) => {
      const fs = running.filesystem;
      await fs.symlink(request(), ROOT_INO, Buffer.from("l"), Buffer.from("there"));
      return nothing;
    },
  },
];

const WANTED = { uid: 4_294_967_294, gid: 77, mtimeMs: -1500.25 } as const;

/** Each by a call of its own, as programs do. */
async function setAll(running: Running, ino: Ino): Promise<void> {
  const fs = running.filesystem;
  await fs.setattr(request(), ino, { uid: WANTED.uid, gid: WANTED.gid });
  await fs.setattr(request(), ino, { mode: 0o640 });
  await fs.setxattr(request(), ino, NAME, { bytes: Buffer.from("text"), mode: "create" });
  await fs.setattr(request(), ino, { mtimeMs: WANTED.mtimeMs, atimeMs: 5 });
}

async function expectAll({ running, files }: Scene, path: string): Promise<Stat> {
  const stat = await files.stat(path);
  expect(stat).toMatchObject(WANTED);
  expect(stat.mode & 0o7777).toBe(0o640);
  const value = await running.filesystem.getxattr(request(), await files.ino(path), NAME);
  expect(Buffer.from(value).toString()).toBe("text");
  return stat;
}

describe("S6.1 S6.2 what is set holds at once, when it is committed, after a restart, under a new name", () => {
  for (const { name, at, enter } of STATES)
    test(name, async () => {
      const scene: Scene = await begin();
      const leave = await enter(scene);
      const ino = await scene.files.ino(at);
      const before = Date.now();
      await setAll(scene.running, ino);
      const stat = await expectAll(scene, at);
      expect(stat.ctimeMs).toBeGreaterThanOrEqual(before);
      await leave();
      await drained(scene.running);
      // Parked: closed all the same.
      await expectAll(scene, at);
      await scene.running.stop();
      Object.assign(scene, await again());
      await expectAll(scene, at);
      await scene.files.rename(at, "new");
      await expectAll(scene, "new");
      await drained(scene.running);
      await expectAll(scene, "new");
      await scene.running.stop();
      Object.assign(scene, await again());
      await expectAll(scene, "new");
      await scene.files.rename("new", "newer");
      await scene.files.rename("newer", "new");
      await expectAll(scene, "new");
    });
});

describe("attributes", () => {
  test("S6.1 set until a file of one part is sent, they are there for another machine; a directory's always", async () => {
    const { running, files } = await begin();
    await stuck(files);
    await files.save("a", Buffer.from("content"));
    await setAll(running, await files.ino("a"));
    await files.mkdir("d");
    await setAll(running, await files.ino("d"));
    relax();
    await drained(running);
    await files.mkdir("e");
    await drained(running);
    await setAll(running, await files.ino("e"));
    await drained(running);
    expect([count("PutObject", "d/"), count("PutObject", "e/")]).toEqual([1, 2]);
    await running.stop();
    await rm(world.stateDir, { recursive: true });
    const elsewhere = await again();
    await expectAll(elsewhere, "a");
    for (const name of ["d", "e"])
      expect((await expectAll(elsewhere, name)).mode & 0o170000).toBe(0o040000);
  });

  test("S6.2 what is set while a rename's end is written is kept, and the copy is not made again", async () => {
    const scene = await begin();
    const { running, files } = scene;
    await files.save("a", randomContent(MIB));
    await drained(running);
    const { catalog } = running;
    const apply = catalog.apply.bind(catalog);
    let wasSet = false;
    catalog.apply = async (changes, options) => {
      const written = apply(changes, options);
      if (!wasSet && changes.some((change) => "put" in change && change.put === "object")) {
        wasSet = true;
        await setAll(running, await files.ino("b"));
      }
      await written;
    };
    await files.rename("a", "b");
    await drained(running);
    expect(wasSet).toBe(true);
    expect(count("CopyObject", "b")).toBe(1);
    await expectAll(scene, "b");
    await running.stop();
    await expectAll(await again(), "b");
  });

  test("S6.2 what is set in the very moment of the commit is kept, and the save does not come back", async () => {
    const { running, files } = await begin();
    const ino = await (async () => {
      const handle = await files.create("a");
      await files.write(handle, 0, Buffer.from("content"));
      const { ino } = await files.stat("a");
      await files.close(handle);
      return ino;
    })();
    let mtimeMs = 0;
    while (running.publisher.pending().length > 0) {
      mtimeMs += 1;
      await running.filesystem.setattr(request(), ino, { mtimeMs });
    }
    expect(mtimeMs).toBeGreaterThan(3);
    expect((await files.stat("a")).mtimeMs).toBe(mtimeMs);
    await running.stop();
    const after = await again();
    expect(after.running.publisher.pending()).toEqual([]);
    expect((await after.files.stat("a")).mtimeMs).toBe(mtimeMs);
    expect(count("PutObject")).toBe(1);
  });

  test("S6.1 set while a rename is under way, they stay when it is renamed back", async () => {
    const { running, files } = await begin();
    await files.save("a", Buffer.from("content"));
    await drained(running);
    world.emulator.order({ kind: "CopyObject", fault: BUSY, count: 1_000_000 });
    await files.rename("a", "b");
    await setAll(running, await files.ino("b"));
    await files.rename("b", "a");
    relax();
    await drained(running);
    await expectAll({ running, files }, "a");
    expect(await files.list("")).toEqual(["a"]);
  });

  test("of an open file that was removed they can be changed, and nothing of it comes back", async () => {
    const { running, files } = await begin();
    const handle = await files.create("a");
    await files.write(handle, 0, Buffer.from("content"));
    const ino = await files.ino("a");
    await files.unlink("a");
    await running.filesystem.setattr(request(), ino, { mode: 0o600, mtimeMs: 5000 });
    expect(await running.filesystem.getattr(request(), ino)).toMatchObject({
      mode: 0o100600,
      mtimeMs: 5000,
    });
    await running.stop();
    const after = await again();
    expect(after.running.publisher.pending()).toEqual([]);
    expect(await after.files.list("")).toEqual([]);
  });

  test("S6.5 a change of anything moves ctime; names that come and go move mtime of their directory", async () => {
    const { running, files } = await begin();
    await files.mkdir("d");
    await running.filesystem.setattr(request(), await files.ino("d"), { mtimeMs: 1000 });
    expect((await files.stat("d")).mtimeMs).toBe(1000);
    await files.save("d/a", Buffer.from("content"));
    expect((await files.stat("d")).mtimeMs).toBeGreaterThan(1000);
    await running.filesystem.setattr(request(), await files.ino("d"), { mtimeMs: 2000 });
    expect((await files.stat("d")).mtimeMs).toBe(2000);
    const { ctimeMs } = await files.stat("d/a");
    await expect
      .poll(async () => {
        await running.filesystem.setattr(request(), await files.ino("d/a"), { atimeMs: 7 });
        return (await files.stat("d/a")).ctimeMs;
      })
      .toBeGreaterThan(ctimeMs);
  });

  test("S6.7 what is made in a setgid directory has its group; privileges are cleared as Linux does", async () => {
    const { running, files } = await begin();
    const fs = running.filesystem;
    await files.mkdir("d");
    const ino = await files.ino("d");
    await fs.setattr(request(), ino, { mode: 0o2775, gid: 500 });
    const by = { caller: { uid: 7, gid: 8, pid: 1000 } };
    await fs.mkdir(request(by), ino, Buffer.from("e"), 0o755);
    await fs.mknod(request(by), ino, Buffer.from("f"), 0o755);
    expect(await files.stat("d/e")).toMatchObject({ mode: 0o042755, uid: 7, gid: 500 });
    expect(await files.stat("d/f")).toMatchObject({ mode: 0o100755, uid: 7, gid: 500 });
    const file = await files.ino("d/f");
    await fs.setattr(request(), file, { mode: 0o6755 });
    await fs.setattr(request(), file, { uid: 9, killPrivileges: true });
    expect((await files.stat("d/f")).mode).toBe(0o100755);
    await fs.setattr(request(), file, { mode: 0o6745 });
    await fs.setattr(request(), file, { size: 3, killPrivileges: true });
    // Without x for the group it is no privilege, but a lock of old.
    expect((await files.stat("d/f")).mode).toBe(0o102745);
  });

  test("S6.3 metadata of others that makes no sense does no harm", async () => {
    const { files } = await begin();
    await putForeign("a", Buffer.from("content"), { mode: "16877", uid: "1e300", mtime: "never" });
    await putForeign("r", Buffer.from("content"), { mode: "0100750", xattr: "%zz" });
    expect((await files.stat("a")).mode).toBe(0o100755);
    expect((await files.stat("r")).mode).toBe(0o100750);
    expect((await files.stat("a")).uid).toBe(0);
  });
});
