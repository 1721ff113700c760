// A disk without room, below the catalog or the spill: what failed says so, what was promised goes on when there is room.

import { beforeEach, describe, expect, test } from "vitest";
import { KodomountError } from "../../src/base/mod.ts";
import { S_IFDIR, S_IFMT, S_IFREG, toKey } from "../../src/model/mod.ts";
import { TestDatabase } from "../fault/harness/database.ts";
import { FaultyIo } from "../support/faulty-io.ts";
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
import { drained, randomContent, request, type WorldOptions } from "../support/world.ts";

const MIB = 1024 * 1024;
const NO_ROOM_FOR_EVER = 1_000_000;

let database: TestDatabase;
let io: FaultyIo;

endWorldAfterEach();
beforeEach(() => {
  database = new TestDatabase();
  io = new FaultyIo();
});

const start = (options: WorldOptions = {}): ReturnType<typeof begin> =>
  begin({ ...options, seams: { openDatabase: database.open, io } });

describe("no room for the catalog", () => {
  test("S2.9 regression: a close that fails for it is not half a close: the next one publishes", async () => {
    const { files } = await start({ closeMode: "strict" });
    const handle = await files.create("f");
    await files.write(handle, 0, Buffer.from("content"));
    database.fillUp(0, NO_ROOM_FOR_EVER);
    await expect(files.close(handle)).rejects.toMatchObject({ code: "NoSpace" });
    database.fillUp(0, 0);
    expect(await inBucket("f")).toBeUndefined();
    await files.save("f", Buffer.from("again"));
    await expectInBucket("f", Buffer.from("again"));
  });

  test("S2.9 regression: what is made whole and cannot be written down is not there, and can be made again", async () => {
    const { files, running } = await start();
    await files.mkdir("known");
    await drained(running);
    const ino = await files.ino("known");
    const makers = [
      () => files.mkdir("d"),
      () => files.mknod("f", S_IFREG | 0o644),
      () => running.filesystem.setattr(request(), ino, { mode: 0o700 }),
    ];
    for (const room of [0, 1])
      for (const make of makers) {
        database.fillUp(room, NO_ROOM_FOR_EVER);
        await expect(make()).rejects.toMatchObject({ code: "NoSpace" });
        database.fillUp(0, 0);
        expect(running.publisher.pending()).toEqual([]);
      }
    for (const name of ["d", "f"])
      await expect(files.stat(name)).rejects.toMatchObject({ code: "NotFound" });
    for (const make of makers) await make();
    await drained(running);
    expect(await inBucket("f")).toBeDefined();
    expect((await files.stat("d")).mode & S_IFMT).toBe(S_IFDIR);
    expect((await files.stat("known")).mode & 0o777).toBe(0o700);
  });

  test("S3.2 regression: the older closed save of the key stays promised when the newer close fails", async () => {
    const { files, running } = await start({ closeMode: "local" });
    const fault = { kind: "status", status: 503 } as const;
    const down = world.emulator.order({ kind: "PutObject", fault, count: NO_ROOM_FOR_EVER });
    await files.save("f", Buffer.from("older"));
    const handle = await files.create("f");
    await files.write(handle, 0, Buffer.from("newer"));
    database.fillUp(0, NO_ROOM_FOR_EVER);
    await expect(files.close(handle)).rejects.toMatchObject({ code: "NoSpace" });
    database.fillUp(0, 0);
    await running.stop();
    down.cancel();
    const next = await again();
    await drained(next.running);
    await expectInBucket("f", Buffer.from("older"));
  });

  test("S2.9 regression: nothing of a close shows before it is written down, since it may fail", async () => {
    const { files, running } = await start({ closeMode: "local" });
    const fault = { kind: "slow", delayMs: 500 } as const;
    world.emulator.order({ kind: "PutObject", fault, count: 1 });
    await files.save("f", Buffer.from("older"));
    const handle = await files.create("f");
    await files.write(handle, 0, Buffer.from("newer"));
    // The driver of the older one is at work while the newer close is being written down, and fails.
    const { catalog } = running;
    const apply = catalog.apply.bind(catalog);
    catalog.apply = async (changes) => {
      catalog.apply = apply;
      expect(changes[0]).toMatchObject({ put: "save", record: { state: { kind: "closed" } } });
      running.publisher.hurry();
      await expect.poll(() => running.publisher.find(toKey("f"))?.driving).toBe(false);
      throw new KodomountError("NoSpace", "The disk is full");
    };
    await expect(files.close(handle)).rejects.toMatchObject({ code: "NoSpace" });
    running.publisher.hurry();
    await expect.poll(() => count("PutObject", "f")).toBeGreaterThan(0);
    await expectInBucket("f", Buffer.from("older"));
  });

  test("S5.1 regression: a rename that fails for it leaves nothing to nobody: the content is published", async () => {
    const { files, running } = await start({ closeMode: "local" });
    const handle = await files.create(".f.aB3dE9", 0o600, { exclusive: true, truncate: false });
    await files.write(handle, 0, Buffer.from("content"));
    await files.close(handle);
    database.fillUp(0, 1);
    await expect(files.rename(".f.aB3dE9", "f")).rejects.toMatchObject({ code: "NoSpace" });
    await drained(running);
    await expectInBucket("f", Buffer.from("content"));
  });

  test("S2.1 regression: publishing goes on when there is room again, and no upload is left", async () => {
    const { files } = await start();
    const content = randomContent(3 * MIB);
    const handle = await files.create("f");
    await files.write(handle, 0, content);
    const created = world.emulator.order({
      kind: "CreateMultipartUpload",
      fault: { kind: "slow", delayMs: 1 },
    });
    const closed = files.close(handle);
    await expect.poll(() => created.fired).toBe(1);
    database.fillUp(0, 3);
    await closed;
    await expectInBucket("f", content);
    await expect.poll(() => world.emulator.uploads()).toEqual([]);
  });
});

test("S2.9 regression: what cannot be kept of a file on a full disk is interrupted, and its name can be saved again", async () => {
  const { files, running } = await start();
  const handle = await files.create("f");
  await files.write(handle, 0, randomContent(2 * MIB));
  await files.truncate("f", 5 * MIB);
  io.fail("write", "ENOSPC", { times: NO_ROOM_FOR_EVER });
  await expect(files.write(handle, 3 * MIB, randomContent(MIB))).rejects.toMatchObject({
    code: "NoSpace",
  });
  await expect(files.close(handle)).rejects.toMatchObject({ code: "NoSpace" });
  expect(running.publisher.pending()).toMatchObject([{ path: "f", state: "interrupted" }]);
  io.heal();
  const content = randomContent(2 * MIB);
  await files.save("f", content);
  await expectInBucket("f", content);
});

test("S2.7 regression: when several parts cannot be copied from what was there, they are sent", async () => {
  const { files } = await start();
  const content = randomContent(6 * MIB);
  await files.save("f", content);
  await putForeign("f", Buffer.from("of another client"));
  await files.save("f", content);
  await expectInBucket("f", content);
});

test("S2.1 regression: a completing request that came with the wrong time is sent again with the store's", async () => {
  const { files } = await start();
  const content = randomContent(2 * MIB);
  world.emulator.order({
    kind: "CompleteMultipartUpload",
    fault: { kind: "status", status: 403, code: "RequestTimeTooSkewed" },
  });
  await files.save("f", content);
  await expectInBucket("f", content);
  expect(count("CompleteMultipartUpload")).toBe(1);
});

test("S2.1 regression: an upload whose creation is under way when the mount stops is not left at the store", async () => {
  const { files, running } = await start();
  const handle = await files.create("f");
  const created = world.emulator.order({
    kind: "CreateMultipartUpload",
    fault: { kind: "slow", delayMs: 300 },
  });
  await files.write(handle, 0, randomContent(3 * MIB));
  await expect.poll(() => created.fired).toBe(1);
  await files.unlink("f");
  await running.stop();
  await again();
  await expect.poll(() => world.emulator.uploads()).toEqual([]);
});
