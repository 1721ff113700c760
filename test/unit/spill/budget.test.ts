// Who may begin a part, who waits, and who is refused.

import { describe, expect, test } from "vitest";
import { Fixture, HEAD, OTHER, part, SAVE } from "./fixture.ts";

const MIB = 1024 * 1024;

/** Runs until nothing more happens; says which of the asked have got an answer so far, in that order. */
class Asked {
  readonly answers: string[] = [];

  ask(name: string, asking: Promise<void>): void {
    asking.then(
      () => this.answers.push(name),
      (error: unknown) => this.answers.push(`${name} refused: ${String(error)}`),
    );
  }
}

describe("Spill.startPart", () => {
  test("below the limit everybody begins; at it only the first part of a file does", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open({ limit: 100 });
    await spill.startPart(false);
    await spill.write(part(1), 0, Buffer.alloc(100));
    await spill.startPart(true);
    expect(spill.usage()).toEqual({ used: 100, limit: 100 });
    await expect(spill.startPart(false)).rejects.toMatchObject({
      code: "NoSpace",
      message: expect.stringMatching(/100 bytes.*--spill-limit/),
    });
  });

  test("who waits goes on when bytes are freed, in the order of asking, late-comers last", async () => {
    await using fixture = await Fixture.create();
    fixture.canFree = true;
    const spill = await fixture.open({ limit: 100 });
    await spill.write(part(1), 0, Buffer.alloc(100));
    const asked = new Asked();
    for (const name of ["a", "b", "c"]) asked.ask(name, spill.startPart(false));
    await fixture.clock.advance(3000);
    expect(asked.answers).toEqual([]);
    await spill.removeSave(SAVE);
    asked.ask("late", spill.startPart(false));
    await expect.poll(() => asked.answers).toEqual(["a", "b", "c", "late"]);
  });

  test("when nothing can free bytes any more the newest is refused first, one a second", async () => {
    await using fixture = await Fixture.create();
    fixture.canFree = true;
    const spill = await fixture.open({ limit: 100 });
    await spill.write(part(1), 0, Buffer.alloc(100));
    await spill.createSave(OTHER, HEAD);
    const asked = new Asked();
    for (const name of ["a", "b"]) asked.ask(name, spill.startPart(false));
    await fixture.clock.advance(2000);
    fixture.canFree = false;
    await fixture.clock.advance(1000);
    expect(asked.answers).toEqual([expect.stringMatching(/^b refused/)]);
    await spill.setSize(part(1), 10);
    await expect.poll(() => asked.answers.at(-1)).toBe("a");
  });

  test("an interrupted wait gives up its place", async () => {
    await using fixture = await Fixture.create();
    fixture.canFree = true;
    const spill = await fixture.open({ limit: 100 });
    await spill.write(part(1), 0, Buffer.alloc(100));
    const gone = new AbortController();
    const waiting = spill.startPart(false, gone.signal);
    const next = spill.startPart(false);
    gone.abort();
    await expect(waiting).rejects.toMatchObject({ code: "Interrupted" });
    await expect(spill.startPart(false, gone.signal)).rejects.toMatchObject({
      code: "Interrupted",
    });
    await spill.remove(part(1));
    await next;
  });

  test("close() refuses who waits", async () => {
    await using fixture = await Fixture.create();
    fixture.canFree = true;
    const spill = await fixture.open({ limit: 100 });
    await spill.write(part(1), 0, Buffer.alloc(100));
    const waiting = spill.startPart(false);
    const refused = expect(waiting).rejects.toMatchObject({ code: "Interrupted" });
    await spill.close();
    await refused;
  });

  test("a disk without a reserve is full: 256 MiB, or 1 % of a small one", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    const begins = async (free: number, total: number): Promise<boolean> => {
      fixture.io.diskSpace = { free, total };
      await fixture.clock.advance(1000);
      return spill.startPart(false).then(
        () => true,
        () => false,
      );
    };
    expect(await begins(255 * MIB, 1024 * 1024 * MIB)).toBe(false);
    expect(await begins(256 * MIB, 1024 * 1024 * MIB)).toBe(true);
    expect(await begins(9 * MIB, 1000 * MIB)).toBe(false);
    expect(await begins(10 * MIB, 1000 * MIB)).toBe(true);
  });

  test("the disk is asked at most once a second, and again while somebody waits for it", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    for (let n = 0; n < 100; n += 1) await spill.startPart(false);
    expect(fixture.io.count("space")).toBe(1);
    fixture.canFree = true;
    fixture.io.diskSpace = { free: 0, total: 1000 * MIB };
    await fixture.clock.advance(1000);
    const asked = new Asked();
    asked.ask("a", spill.startPart(false));
    await fixture.clock.advance(3000);
    expect(asked.answers).toEqual([]);
    fixture.io.diskSpace = { free: 500 * MIB, total: 1000 * MIB };
    await fixture.clock.advance(1000);
    await expect.poll(() => asked.answers).toEqual(["a"]);
    expect(fixture.io.count("space")).toBeLessThanOrEqual(7);
  });

  test("a disk that cannot be asked is Io, not a wait without end", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    fixture.io.fail("space", "EIO");
    await expect(spill.startPart(false)).rejects.toMatchObject({ code: "Io" });
  });
});
