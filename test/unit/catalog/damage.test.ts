// What the catalog says of a directory that it cannot or must not use: never a repair, always who and what to do.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import { describe, expect, test } from "vitest";
import { encode } from "../../../src/catalog/codec.ts";
import { toUploadId } from "../../../src/model/mod.ts";
import { Fixture, KEY, PUTS } from "./fixture.ts";

/** Changes the closed database behind the catalog's back. */
async function meddle(
  dir: string,
  change: (db: Level<string, string>) => Promise<void>,
): Promise<void> {
  const db = new Level<string, string>(dir);
  await db.open();
  try {
    await change(db);
  } finally {
    await db.close();
  }
}

async function stoppedCatalog(fixture: Fixture): Promise<void> {
  const catalog = await fixture.open();
  await catalog.apply(PUTS, { sync: true });
  await catalog.close();
}

describe("Catalog.open", () => {
  test("refuses the state of another bucket and names both", async () => {
    await using fixture = await Fixture.create();
    await stoppedCatalog(fixture);
    const opening = fixture.open({
      identity: { endpoint: "https://store", bucket: "other", prefix: "p/" },
    });
    await expect(opening).rejects.toMatchObject({
      code: "Config",
      message: expect.stringMatching(/belongs to mine\/ .* not to other\/p\//),
    });
    await (await fixture.open()).close();
  });

  test("refuses a newer version and names both", async () => {
    await using fixture = await Fixture.create();
    await stoppedCatalog(fixture);
    await meddle(fixture.dir, (db) => db.put("m/schema", encode("m/schema", { version: 9 })));
    await expect(fixture.open()).rejects.toMatchObject({
      code: "Config",
      message: expect.stringMatching(/version 9.*up to 3/),
    });
  });

  test("refuses a second use in this process, and names the process", async () => {
    await using fixture = await Fixture.create();
    await fixture.open();
    await expect(fixture.open()).rejects.toMatchObject({
      code: "Busy",
      message: expect.stringContaining(`in use by process ${process.pid}`),
    });
  });

  test("refuses what another process has open, and names the process", async () => {
    await using fixture = await Fixture.create();
    const script = `const { Level } = require("level");
      const db = new Level(process.argv[1]);
      db.open().then(() => console.log("open"));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["-e", script, fixture.dir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    try {
      await once(child.stdout, "data");
      await expect(fixture.open()).rejects.toMatchObject({
        code: "Busy",
        message: expect.stringContaining(`in use by process ${child.pid}`),
      });
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
  });

  test("refuses a path that is no directory", async () => {
    await using fixture = await Fixture.create();
    await writeFile(fixture.dir, "a file");
    await expect(fixture.open()).rejects.toMatchObject({
      code: "Config",
      message: expect.stringContaining(fixture.dir),
    });
  });

  test("says how the last use ended", async () => {
    await using fixture = await Fixture.create();
    const first = await fixture.open();
    expect([first.isNew, first.sameBoot, first.cleanStop]).toEqual([true, true, true]);
    await first.close();
    const stopped = await fixture.open({ bootId: "boot-2" });
    expect([stopped.isNew, stopped.sameBoot, stopped.cleanStop]).toEqual([false, false, true]);
    await stopped.close();
    // As a killed process leaves it.
    await meddle(fixture.dir, (db) =>
      db.put("m/boot", encode("m/boot", { id: "boot-2", clean: false })),
    );
    const killed = await fixture.open({ bootId: "boot-2" });
    expect([killed.isNew, killed.sameBoot, killed.cleanStop]).toEqual([false, true, false]);
  });

  test("refuses a catalog that has records but no version", async () => {
    await using fixture = await Fixture.create();
    await stoppedCatalog(fixture);
    await meddle(fixture.dir, (db) => db.del("m/schema"));
    await expect(fixture.open()).rejects.toMatchObject({ code: "Corrupt" });
  });
});

describe("damage", () => {
  test.each([
    ["a flipped bit", (text: string) => text.replace("model.bin", "mndel.bin")],
    ["a cut end", (text: string) => text.slice(0, -1)],
    ["nothing", () => ""],
  ])("%s in a record is Corrupt: the record, the directory and the way out", async (_, change) => {
    await using fixture = await Fixture.create();
    await stoppedCatalog(fixture);
    const key = "s/00000000000000a1";
    await meddle(fixture.dir, async (db) => db.put(key, change(await db.get(key))));
    const catalog = await fixture.open();
    const reading = catalog.contents();
    await expect(reading).rejects.toMatchObject({ code: "Corrupt" });
    for (const words of [key, fixture.dir, "kodomount salvage"])
      await expect(catalog.contents()).rejects.toThrow(words);
  });

  test("a record under another key is Corrupt", async () => {
    await using fixture = await Fixture.create();
    await stoppedCatalog(fixture);
    await meddle(fixture.dir, async (db) => db.put("n/elsewhere", await db.get("n/dir/new")));
    const catalog = await fixture.open();
    await expect(catalog.contents()).rejects.toThrow("n/elsewhere");
  });

  test("a record that means nothing to this version is Corrupt, with the field", async () => {
    await using fixture = await Fixture.create();
    await stoppedCatalog(fixture);
    await meddle(fixture.dir, (db) =>
      db.put("n/dir/new", encode("n/dir/new", { kind: "teleport" })),
    );
    const catalog = await fixture.open();
    await expect(catalog.contents()).rejects.toThrow(/want\.kind/);
  });

  test("a damaged record of an object is forgotten with a warning: it is a cache", async () => {
    await using fixture = await Fixture.create();
    await stoppedCatalog(fixture);
    await meddle(fixture.dir, (db) => db.put(`o/${KEY}`, "rubbish"));
    const catalog = await fixture.open();
    expect(await catalog.findObject(KEY)).toBeUndefined();
    expect(fixture.warnings).toEqual([expect.stringContaining(KEY)]);
    expect(await catalog.objectsBelow(KEY)).toEqual([]);
    expect(fixture.warnings).toHaveLength(1);
    expect((await catalog.contents()).saves).toHaveLength(1);
  });
});

/** The log that LevelDB replays at the next start. */
async function logPath(dir: string): Promise<string> {
  const [name] = (await readdir(dir)).filter((entry) => entry.endsWith(".log"));
  if (name === undefined) throw new Error("no log");
  return join(dir, name);
}

describe("LevelDB's log", () => {
  test("damage in what was synced is Corrupt, wherever it is, though LevelDB would step over it", async () => {
    await using fixture = await Fixture.create();
    await stoppedCatalog(fixture);
    const path = await logPath(fixture.dir);
    const log = await readFile(path);
    const at = log.indexOf(`s/00000000000000a1`);
    for (const offset of [0, 4, 5, 6, 7, at, at + 30]) {
      const damaged = Buffer.from(log);
      damaged.writeUInt8(damaged.readUInt8(offset) ^ 0x10, offset);
      await writeFile(path, damaged);
      await expect(fixture.open(), `byte ${offset}`).rejects.toMatchObject({
        code: "Corrupt",
        message: expect.stringContaining("kodomount salvage"),
      });
    }
    await writeFile(path, log);
    const catalog = await fixture.open();
    expect((await catalog.contents()).saves).toHaveLength(1);
  });

  test.each(["cut", "zeros", "noise", "a hole"])(
    "a tail that a loss of power has left as %s is not damage: what was synced is there",
    async (tail) => {
      await using fixture = await Fixture.create();
      await stoppedCatalog(fixture);
      const path = await logPath(fixture.dir);
      const log = await readFile(path);
      // The last batch is the mark of the clean stop, the fsync of which is taken to have been under way.
      const end = log.lastIndexOf("m/boot");
      const torn = Buffer.from(log);
      if (tail === "zeros") torn.fill(0, end);
      if (tail === "noise") torn.fill("noise", end);
      if (tail === "a hole") torn.fill(0, end, end + 3);
      await writeFile(path, tail === "cut" ? log.subarray(0, end) : torn);
      const catalog = await fixture.open();
      expect(catalog.cleanStop).toBe(false);
      expect((await catalog.contents()).saves).toHaveLength(1);
    },
  );

  test("is checked over many blocks and large batches", async () => {
    await using fixture = await Fixture.create();
    const catalog = await fixture.open();
    for (let round = 0; round < 5; round += 1)
      await catalog.apply(
        Array.from({ length: 1000 }, (_, n) => ({
          put: "abort",
          key: KEY,
          uploadId: toUploadId(`u-${round}-${n}`),
        })),
        { sync: round % 2 === 0 },
      );
    await catalog.close();
    const path = await logPath(fixture.dir);
    const log = await readFile(path);
    expect(log.length).toBeGreaterThan(5 * 32_768);
    const damaged = Buffer.from(log);
    damaged.fill(0, 100_000, 100_010);
    await writeFile(path, damaged);
    await expect(fixture.open()).rejects.toMatchObject({ code: "Corrupt" });
    await writeFile(path, log);
    expect((await (await fixture.open()).contents()).aborts).toHaveLength(5000);
  });
});
