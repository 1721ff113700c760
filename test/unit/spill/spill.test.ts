// Spill files on a real disk: bytes, names, hard links, and what they count for.

import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/mod.ts";
import { nodeIo, Spill } from "../../../src/spill/mod.ts";
import { contentOf, Fixture, HEAD, OTHER, part, SAVE } from "./fixture.ts";

describe("Spill.write and read", () => {
  test("what was written is read; holes and what lies behind the end are zeros", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.write(part(1), 4, Buffer.from("data"));
    const into = Buffer.alloc(12, "x");
    await spill.read(part(1), 0, into);
    expect(into).toEqual(Buffer.from("\0\0\0\0data\0\0\0\0"));
    expect(await spill.sizeOf(part(1))).toBe(8);
  });

  test("a part that is not there is Io, not zeros, and reading does not make it", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await expect(spill.read(part(1), 0, Buffer.alloc(1))).rejects.toMatchObject({ code: "Io" });
    expect(await spill.sizeOf(part(1))).toBeUndefined();
    await spill.write(part(1), 0, Buffer.from("a"));
    expect(await contentOf(spill, part(1))).toEqual(Buffer.from("a"));
  });

  test("the path of a part is its save, its number and its revision", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.write(part(12, 3), 0, Buffer.from("abc"));
    expect(spill.path(part(12, 3))).toBe(`${fixture.dir}/${SAVE}/00012.3`);
    expect(await readFile(spill.path(part(12, 3)), "utf8")).toBe("abc");
  });

  test("the head is one line of JSON, also when it gets shorter", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.writeHead(SAVE, { ...HEAD, key: "k" });
    const text = await readFile(`${fixture.dir}/${SAVE}/head`, "utf8");
    expect(text.indexOf("\n")).toBe(text.length - 1);
    expect(JSON.parse(text)).toEqual({ ...HEAD, key: "k" });
  });

  test("of 600 parts written at once at most 256 are open, and none is after close", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    let openMax = 0;
    for (let round = 0; round < 2; round += 1)
      await Promise.all(
        Array.from({ length: 600 }, async (_, n) => {
          await spill.write(part(n + 1), round, Buffer.from([n % 256]));
          openMax = Math.max(openMax, fixture.io.openCount);
        }),
      );
    expect(openMax).toBeLessThanOrEqual(256);
    expect(await contentOf(spill, part(500))).toEqual(Buffer.from([499 % 256, 499 % 256]));
    await spill.close();
    expect(fixture.io.openCount).toBe(0);
  });
});

describe("Spill.setSize", () => {
  test("cuts, and fills up with zeros that take no room", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.write(part(1), 0, Buffer.from("abcdef"));
    await spill.setSize(part(1), 2);
    expect(spill.usage().used).toBe(2);
    await spill.setSize(part(1), 4);
    await spill.setSize(part(2), 1000);
    expect(await contentOf(spill, part(1))).toEqual(Buffer.from("ab\0\0"));
    expect(await contentOf(spill, part(2))).toEqual(Buffer.alloc(1000));
    expect(spill.usage().used).toBe(2);
  });
});

describe("Spill.fork", () => {
  test("a link shares the bytes, a copy does not", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.createSave(OTHER, HEAD);
    await spill.write(part(1), 0, Buffer.from("abc"));
    await spill.fork(part(1), part(1, 1, OTHER), "link");
    await spill.fork(part(1), part(1, 2), "copy");
    await spill.write(part(1), 3, Buffer.from("d"));
    expect(await contentOf(spill, part(1, 1, OTHER))).toEqual(Buffer.from("abcd"));
    expect(await contentOf(spill, part(1, 2))).toEqual(Buffer.from("abc"));
  });

  test("a name that a crash has left behind is replaced, also one that is in use", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.write(part(1), 0, Buffer.from("new"));
    await spill.write(part(1, 2), 0, Buffer.from("stale bytes"));
    await nodeIo.link(spill.path(part(1, 2)), spill.path(part(1, 3)));
    await spill.fork(part(1), part(1, 2), "link");
    await spill.fork(part(1), part(1, 3), "link");
    expect(await contentOf(spill, part(1, 2))).toEqual(Buffer.from("new"));
    expect(await contentOf(spill, part(1, 3))).toEqual(Buffer.from("new"));
  });

  test("of what is not there fails, and counts for nothing", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    for (const how of ["link", "copy"] as const)
      await expect(spill.fork(part(1), part(2), how)).rejects.toMatchObject({ code: "Io" });
    expect(spill.usage().used).toBe(0);
  });
});

describe("Spill.usage", () => {
  test("counts bytes that were written: once, without holes, hard links once", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    const used: number[] = [];
    const note = (): number => used.push(spill.usage().used);
    await spill.write(part(1), 0, Buffer.alloc(100));
    note();
    await spill.write(part(1), 50, Buffer.alloc(100));
    note();
    await spill.fork(part(1), part(1, 2), "link");
    note();
    await spill.write(part(1, 2), 150, Buffer.alloc(40));
    note();
    await spill.remove(part(1));
    note();
    await spill.fork(part(1, 2), part(1, 3), "copy");
    note();
    await spill.write(part(1, 3), 100_000, Buffer.alloc(10));
    note();
    await spill.remove(part(1, 2));
    await spill.remove(part(1, 2));
    note();
    await spill.removeSave(SAVE);
    note();
    expect(used).toEqual([100, 150, 150, 190, 190, 380, 390, 200, 0]);
    expect(await spill.listSaves()).toEqual([]);
  });

  test("is the same after a restart, as far as the disk has blocks for it", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    await spill.write(part(1), 0, Buffer.alloc(65_536, 1));
    await spill.fork(part(1), part(1, 2), "link");
    await spill.setSize(part(2), 500_000);
    await spill.sync(SAVE, [part(1)]);
    await spill.close();
    const again = await fixture.open();
    expect(again.usage().used).toBe(65_536);
    await again.remove(part(1));
    expect(again.usage().used).toBe(65_536);
    await again.remove(part(1, 2));
    expect(again.usage().used).toBe(0);
  });

  test("is right for any writes and cuts of a file", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    const model = new Set<number>();
    for (let n = 1; n <= 300; n += 1) {
      const at = (n * 7919) % 4001;
      const length = (n * 104_729) % 97;
      if (n % 40 === 0) {
        await spill.setSize(part(1), at);
        for (const byte of [...model]) if (byte >= at) model.delete(byte);
      } else {
        await spill.write(part(1), at, Buffer.alloc(length, 1));
        for (let byte = at; byte < at + length; byte += 1) model.add(byte);
      }
      expect(spill.usage().used).toBe(model.size);
    }
  });
});

describe("Spill.listParts", () => {
  test("has numbers, revisions and sizes in order, and nothing else that lies there", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    for (const ref of [part(2), part(1, 10), part(1, 9)])
      await spill.write(ref, 0, Buffer.alloc(ref.rev));
    await nodeIo.makeDirectory(`${fixture.dir}/lost+found`);
    expect(await spill.listSaves()).toEqual([SAVE]);
    expect(await spill.listParts(SAVE)).toEqual([
      { ref: part(1, 9), size: 9 },
      { ref: part(1, 10), size: 10 },
      { ref: part(2), size: 1 },
    ]);
    expect(await spill.listParts(OTHER)).toEqual([]);
  });
});

describe("Spill.open", () => {
  test("of a path that cannot be a directory is Io and names it", async () => {
    const opening = Spill.open({
      dir: "/dev/null/spill",
      limit: 1,
      log: silentLog,
    });
    await expect(opening).rejects.toMatchObject({
      code: "Io",
      message: expect.stringContaining("/dev/null/spill"),
    });
  });
});
