// Who may begin a part, who waits, and who is refused.

import { describe, expect, test } from "vitest";
import { type SaveId, toSaveId } from "../../../src/model/mod.ts";
import { Fixture, HEAD, OTHER, part, SAVE } from "./fixture.ts";

const MIB = 1024 * 1024;

const id = (n: number): SaveId => toSaveId(`00000000000000b${n}`);
const LATER = { save: SAVE, size: 1, promised: false };

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
  test("below the limit everybody begins; at it nobody does", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open({ limit: 100 });
    await spill.startPart(LATER);
    await spill.write(part(1), 0, Buffer.alloc(100));
    expect(spill.usage()).toEqual({ used: 100, limit: 100 });
    await expect(spill.startPart(LATER)).rejects.toMatchObject({
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
    for (const name of ["a", "b", "c"]) asked.ask(name, spill.startPart(LATER));
    await fixture.clock.advance(3000);
    expect(asked.answers).toEqual([]);
    await spill.removeSave(SAVE);
    asked.ask("late", spill.startPart(LATER));
    await expect.poll(() => asked.answers).toEqual(["a", "b", "c", "late"]);
  });

  test("when nothing can free bytes any more the newest is refused first, one a second", async () => {
    await using fixture = await Fixture.create();
    fixture.canFree = true;
    const spill = await fixture.open({ limit: 100 });
    await spill.write(part(1), 0, Buffer.alloc(100));
    await spill.createSave(OTHER, HEAD);
    const asked = new Asked();
    for (const name of ["a", "b"]) asked.ask(name, spill.startPart(LATER));
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
    const waiting = spill.startPart(LATER, gone.signal);
    const next = spill.startPart(LATER);
    gone.abort();
    await expect(waiting).rejects.toMatchObject({ code: "Interrupted" });
    await expect(spill.startPart(LATER, gone.signal)).rejects.toMatchObject({
      code: "Interrupted",
    });
    await spill.remove(part(1));
    await next;
  });

  test("a part that was begun counts until it is written, its save begins another, or is complete", async () => {
    await using fixture = await Fixture.create();
    fixture.canFree = true;
    const spill = await fixture.open({ limit: 100 });
    await spill.createSave(OTHER, HEAD);
    await spill.startPart({ ...LATER, size: 60 });
    const asked = new Asked();
    asked.ask("a", spill.startPart({ ...LATER, save: OTHER, size: 60 }));
    await fixture.clock.advance(2000);
    expect(asked.answers).toEqual([]);
    await spill.write(part(2), 0, Buffer.alloc(40));
    await fixture.clock.advance(2000);
    expect(asked.answers).toEqual([]);
    // It ends with 40 of the 60 bytes.
    spill.settle(SAVE);
    await expect.poll(() => asked.answers).toEqual(["a"]);
  });

  test("a limit below one part lets one part begin", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open({ limit: 100 });
    await spill.startPart({ ...LATER, size: 1000 });
    await expect(spill.startPart({ ...LATER, save: OTHER, size: 1000 })).rejects.toMatchObject({
      code: "NoSpace",
    });
  });

  test("what is promised goes first, then what is streaming; what is promised is never refused", async () => {
    await using fixture = await Fixture.create();
    fixture.canFree = true;
    const spill = await fixture.open({ limit: 100 });
    await spill.write(part(1), 0, Buffer.alloc(100));
    const [streaming, promised] = [id(3), id(4)];
    fixture.streaming.add(streaming);
    const asked = new Asked();
    asked.ask("a", spill.startPart(LATER));
    asked.ask("streaming", spill.startPart({ ...LATER, save: streaming }));
    asked.ask("promised", spill.startPart({ ...LATER, save: promised, promised: true }));
    await spill.setSize(part(1), 10);
    await expect.poll(() => asked.answers).toEqual(["promised", "streaming", "a"]);
    await spill.write(part(1), 0, Buffer.alloc(100));
    fixture.canFree = false;
    asked.ask("b", spill.startPart(LATER));
    asked.ask("again", spill.startPart({ ...LATER, save: promised, promised: true }));
    await fixture.clock.advance(2000);
    await expect
      .poll(() => asked.answers.slice(3))
      .toEqual([expect.stringMatching(/^b refused/), "again"]);
  });

  test("who knows the files is asked for room; `later` waits, `room` looks again, `one` begins above the limit", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open({ limit: 100 });
    await spill.write(part(1), 0, Buffer.alloc(100));
    fixture.made.push({ kind: "later" }, { kind: "later" }, { kind: "later" });
    const asked = new Asked();
    asked.ask("a", spill.startPart({ ...LATER, save: id(3) }));
    asked.ask("b", spill.startPart({ ...LATER, save: OTHER }));
    await expect.poll(() => fixture.asked.at(-1)).toEqual([id(3), OTHER]);
    expect(asked.answers).toEqual([]);
    fixture.made.splice(0, 3, { kind: "room" }, { kind: "one", save: OTHER });
    spill.changed();
    await expect.poll(() => asked.answers).toEqual(["b", expect.stringMatching(/^a refused/)]);
    expect(fixture.asked.slice(-3)).toEqual([[id(3), OTHER], [id(3), OTHER], [id(3)]]);
  });

  test("nobody begins above the limit while the disk is full", async () => {
    await using fixture = await Fixture.create();
    fixture.io.diskSpace = { free: 0, total: 1000 * MIB };
    const spill = await fixture.open();
    fixture.made.push({ kind: "one", save: SAVE });
    await expect(spill.startPart(LATER)).rejects.toMatchObject({
      code: "NoSpace",
      message: expect.stringMatching(/disk of the state directory is full/),
    });
  });

  test("close() refuses who waits", async () => {
    await using fixture = await Fixture.create();
    fixture.canFree = true;
    const spill = await fixture.open({ limit: 100 });
    await spill.write(part(1), 0, Buffer.alloc(100));
    const waiting = spill.startPart(LATER);
    const refused = expect(waiting).rejects.toMatchObject({ code: "Interrupted" });
    await spill.close();
    await refused;
  });

  test("a disk without a reserve is full: 256 MiB, or a sixteenth of a small one", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    const begins = async (free: number, total: number): Promise<boolean> => {
      fixture.io.diskSpace = { free, total };
      await fixture.clock.advance(1000);
      return spill.startPart(LATER).then(
        () => true,
        () => false,
      );
    };
    expect(await begins(255 * MIB, 1024 * 1024 * MIB)).toBe(false);
    expect(await begins(257 * MIB, 1024 * 1024 * MIB)).toBe(true);
    expect(await begins(9 * MIB, 160 * MIB)).toBe(false);
    expect(await begins(11 * MIB, 160 * MIB)).toBe(true);
  });

  test("what was begun and written since the disk was asked is not there any more; what was freed is", async () => {
    await using fixture = await Fixture.create();
    fixture.io.diskSpace = { free: 10_000 + 100, total: 160_000 };
    const spill = await fixture.open();
    await spill.startPart({ ...LATER, size: 60 });
    await expect(spill.startPart({ ...LATER, save: OTHER, size: 60 })).rejects.toMatchObject({
      code: "NoSpace",
    });
    await spill.write(part(2), 0, Buffer.alloc(60));
    await expect(spill.startPart({ ...LATER, save: OTHER, size: 60 })).rejects.toMatchObject({
      code: "NoSpace",
    });
    await spill.remove(part(2));
    await spill.startPart({ ...LATER, save: OTHER, size: 60 });
    expect(fixture.io.count("space")).toBe(1);
  });

  test("the disk is asked at most once a second, and again while somebody waits for it", async () => {
    await using fixture = await Fixture.create();
    const spill = await fixture.open();
    for (let n = 0; n < 100; n += 1) await spill.startPart(LATER);
    expect(fixture.io.count("space")).toBe(1);
    fixture.canFree = true;
    fixture.io.diskSpace = { free: 0, total: 1000 * MIB };
    await fixture.clock.advance(1000);
    const asked = new Asked();
    asked.ask("a", spill.startPart(LATER));
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
    await expect(spill.startPart(LATER)).rejects.toMatchObject({ code: "Io" });
  });
});
