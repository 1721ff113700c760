// What survives a loss of power, and what a disk with faults makes of writes and fsyncs.

import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { contentOf, Fixture, HEAD, OTHER, part, SAVE } from "./fixture.ts";

describe("Spill.sync", () => {
  test("what was synced survives a loss of power: bytes, names, head and save", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.write(part(1), 0, Buffer.from("synced"));
    await spill.fork(part(1), part(1, 2), "link");
    await spill.sync(SAVE, [part(1, 2)]);
    await fixture.io.powerLoss();
    const again = await fixture.open();
    expect(await contentOf(again, part(1))).toEqual(Buffer.from("synced"));
    expect(await contentOf(again, part(1, 2))).toEqual(Buffer.from("synced"));
    expect(again.usage().used).toBe(6);
    expect(JSON.parse(await readFile(`${fixture.dir}/${SAVE}/head`, "utf8"))).toEqual(HEAD);
  });

  test("what was not synced may be gone: a later write, a later part, another save", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.write(part(1), 0, Buffer.from("synced"));
    await spill.sync(SAVE, [part(1)]);
    await spill.write(part(1), 6, Buffer.from(" and more"));
    await spill.write(part(2), 0, Buffer.from("new"));
    await spill.createSave(OTHER, HEAD);
    await fixture.io.powerLoss();
    const again = await fixture.open();
    expect(await again.listSaves()).toEqual([SAVE]);
    expect(await again.listParts(SAVE)).toEqual([{ ref: part(1), size: 6 }]);
  });

  test("names that came after the first sync survive by the next one", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.sync(SAVE, []);
    await spill.write(part(1), 0, Buffer.from("a"));
    await spill.setSize(part(2), 3);
    await spill.fork(part(1), part(3), "copy");
    await spill.writeHead(SAVE, { ...HEAD, key: "renamed" });
    await spill.sync(SAVE, [part(1), part(2), part(3)]);
    await spill.remove(part(1));
    await spill.sync(SAVE, []);
    await fixture.io.powerLoss();
    const again = await fixture.open();
    expect(await again.listParts(SAVE)).toEqual([
      { ref: part(2), size: 3 },
      { ref: part(3), size: 1 },
    ]);
    expect(await readFile(`${fixture.dir}/${SAVE}/head`, "utf8")).toContain("renamed");
  });

  test("covers what a killed run has left in the page cache", async () => {
    await using fixture = await Fixture.create();
    const killed = await fixture.open();
    await killed.write(part(1), 0, Buffer.from("from before"));
    await killed.close();
    const restarted = await fixture.open();
    await restarted.sync(SAVE, []);
    await fixture.io.powerLoss();
    const again = await fixture.open();
    expect(await contentOf(again, part(1))).toEqual(Buffer.from("from before"));
  });

  test("a file whose fsync has failed is never fsynced again, and is Io each time", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.write(part(1), 0, Buffer.from("a"));
    await spill.write(part(2), 0, Buffer.from("b"));
    await spill.sync(SAVE, []);
    fixture.io.fail("datasync", "EIO");
    await expect(spill.sync(SAVE, [part(1)])).rejects.toMatchObject({
      code: "Io",
      message: expect.stringContaining(spill.path(part(1))),
      cause: { code: "EIO" },
    });
    await spill.fork(part(1), part(1, 2), "link");
    const before = fixture.io.count("datasync");
    for (const ref of [part(1), part(1), part(1, 2)])
      await expect(spill.sync(SAVE, [ref])).rejects.toMatchObject({ code: "Io" });
    expect(fixture.io.count("datasync")).toBe(before);
    await spill.sync(SAVE, [part(2)]);
  });

  test("two syncs at once of a file whose fsync fails: neither says that it is durable", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.createSave(OTHER, HEAD);
    await spill.write(part(1), 0, Buffer.from("a"));
    await spill.fork(part(1), part(1, 1, OTHER), "link");
    await spill.sync(SAVE, []);
    await spill.sync(OTHER, []);
    fixture.io.fail("datasync", "EIO");
    const results = await Promise.allSettled([
      spill.sync(SAVE, [part(1)]),
      spill.sync(SAVE, [part(1)]),
      spill.sync(OTHER, [part(1, 1, OTHER)]),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  });

  test.each([
    ["the head", "datasync", 0],
    ["the save's directory", "syncDirectory", 0],
    ["the spill directory", "syncDirectory", 1],
  ] as const)(
    "a failed fsync of %s is never tried again, and is Io each time",
    async (_, kind, after) => {
      await using fixture = await Fixture.create();
      const spill = await fixture.open();
      fixture.io.fail(kind, "EIO", { after });
      await expect(spill.sync(SAVE, [])).rejects.toMatchObject({ code: "Io" });
      const before = fixture.io.count(kind);
      await expect(spill.sync(SAVE, [])).rejects.toMatchObject({ code: "Io" });
      await expect(spill.sync(SAVE, [])).rejects.toMatchObject({ code: "Io" });
      expect(fixture.io.count(kind)).toBe(before);
    },
  );

  test("of a part that is not there is Io", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await expect(spill.sync(SAVE, [part(9)])).rejects.toMatchObject({ code: "Io" });
  });
});

describe("errors of the disk", () => {
  test.each(["ENOSPC", "EDQUOT"])(
    "%s is NoSpace and names the option; what was there stays",
    async (errno) => {
      await using fixture = await Fixture.create();
      const spill = await fixture.open();
      await spill.write(part(1), 0, Buffer.from("kept"));
      fixture.io.fail("write", errno);
      await expect(spill.write(part(1), 4, Buffer.from("lost"))).rejects.toMatchObject({
        code: "NoSpace",
        message: expect.stringContaining("--spill-limit"),
        cause: { code: errno },
      });
      expect(await contentOf(spill, part(1))).toEqual(Buffer.from("kept"));
      expect(spill.usage().used).toBe(4);
      await spill.write(part(1), 4, Buffer.from("more"));
      expect(spill.usage().used).toBe(8);
    },
  );

  test.each([
    ["write", "EIO"],
    ["open", "EMFILE"],
    ["open", "EACCES"],
  ] as const)("%s failing with %s is Io with its cause", async (kind, errno) => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    fixture.io.fail(kind, errno);
    await expect(spill.write(part(1), 0, Buffer.from("a"))).rejects.toMatchObject({
      code: "Io",
      message: expect.stringContaining(errno),
      cause: { code: errno },
    });
    await spill.write(part(1), 0, Buffer.from("a"));
  });

  test("a save that cannot be removed goes on counting", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.write(part(1), 0, Buffer.from("a"));
    fixture.io.fail("removeAll", "EBUSY");
    await expect(spill.removeSave(SAVE)).rejects.toMatchObject({ code: "Io" });
    expect(spill.usage().used).toBe(1);
    await spill.removeSave(SAVE);
    expect(spill.usage().used).toBe(0);
  });
});
