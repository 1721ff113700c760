// copy_file_range: whole objects are copied within the bucket, and their source stays until it is copied.

import { describe, expect, test } from "vitest";
import type { HandleId } from "../../src/model/mod.ts";
import type { Driver } from "../support/driver.ts";
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
import { drained, type Running, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;
const SIZE = 5 * MIB + 321;

endWorldAfterEach();

interface Copy {
  readonly source: HandleId;
  readonly target: HandleId;
}

async function openBoth(files: Driver, from: string, to: string): Promise<Copy> {
  return { source: await files.open(from, { write: false }), target: await files.create(to) };
}

function copy({ filesystem }: Running, { source, target }: Copy, offset = 0, length = 1e15) {
  const [from, to] = [
    { handle: source, offset },
    { handle: target, offset },
  ];
  return filesystem.copyRange(request(), from, to, length);
}

/** An object `a` in the bucket, and `b` that was made by copying it and is still open. */
async function copied(
  options: Parameters<typeof begin>[0] = {},
): Promise<{ running: Running; files: Driver; content: Buffer; copy: Copy }> {
  const { running, files } = await begin({ closeMode: "strict", ...options });
  const content = randomContent(SIZE);
  await files.save("a", content);
  await drained(running);
  const both = await openBoth(files, "a", "b");
  expect(await copy(running, both)).toBe(SIZE);
  return { running, files, content, copy: both };
}

describe("copy_file_range", () => {
  test("S2.12 copies a whole object of several parts within the bucket", async () => {
    const { running, files, content, copy: both } = await copied();
    const sent = count("UploadPart");
    await files.close(both.target);
    await running.filesystem.release(both.source);
    expect(count("GetObject")).toBe(0);
    expect(count("UploadPart")).toBe(sent);
    expect(count("UploadPartCopy", "b")).toBe(6);
    await expectInBucket("b", content);
    await expectInBucket("a", content);
    expect((await files.read("b")).equals(content)).toBe(true);
  });

  test("S2.12 in several calls, which end where parts do", async () => {
    const { running, files } = await begin({ closeMode: "strict" });
    const content = randomContent(SIZE);
    await files.save("a", content);
    const both = await openBoth(files, "a", "b");
    expect(await copy(running, both, 0, 2.5 * MIB)).toBe(2 * MIB);
    expect(await copy(running, both, 2 * MIB, 3 * MIB)).toBe(3 * MIB);
    expect(await copy(running, both, 5 * MIB, MIB)).toBe(321);
    await files.close(both.target);
    await running.filesystem.release(both.source);
    await expectInBucket("b", content);
    expect(count("GetObject", "a")).toBe(0);
  });

  test("S2.12 anything else is left to the caller, and harms nothing", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    await files.save("small", randomContent(MIB));
    await files.save("large", randomContent(SIZE));
    await drained(running);
    const small = await openBoth(files, "small", "x");
    await expect(copy(running, small)).rejects.toMatchObject({ code: "NotSupported" });
    const large = await openBoth(files, "large", "y");
    for (const [offset, length] of [
      [5, 4 * MIB],
      [0, MIB - 1],
      [MIB, 2 * MIB],
      [SIZE, 1],
    ])
      await expect(copy(running, large, offset, length)).rejects.toMatchObject({
        code: "NotSupported",
      });
    await files.write(large.target, 0, Buffer.from("mine"));
    await expect(copy(running, large)).rejects.toMatchObject({ code: "NotSupported" });
    const dirty = await openBoth(files, "y", "z");
    await expect(copy(running, dirty)).rejects.toMatchObject({ code: "NotSupported" });
    for (const { source, target } of [small, large, dirty]) {
      await files.close(target);
      await running.filesystem.release(source);
    }
    await drained(running);
    expect((await inBucket("y"))?.toString()).toBe("mine");
  });

  test("S2.12 what is written behind or over it is right", async () => {
    const { running, files, content, copy: both } = await copied();
    await files.write(both.target, SIZE, Buffer.from("behind"));
    await files.write(both.target, 2 * MIB + 7, Buffer.from("over"));
    await files.close(both.target);
    await running.filesystem.release(both.source);
    const expected = Buffer.concat([content, Buffer.from("behind")]);
    expected.write("over", 2 * MIB + 7);
    await expectInBucket("b", expected);
    await expectInBucket("a", content);
  });

  test("S2.12 the source is removed while the copy is open: it goes when its bytes are here", async () => {
    const { running, files, content, copy: both } = await copied();
    await running.filesystem.release(both.source);
    await files.unlink("a");
    await expect.poll(() => inBucket("a"), { timeout: 20_000 }).toBeUndefined();
    await files.close(both.target);
    await drained(running);
    await expectInBucket("b", content);
    await expect.poll(() => running.spill.listSaves()).toEqual([]);
  });

  test("S2.12 the source is saved anew while the copy is open: both are right", async () => {
    const { running, files, content, copy: both } = await copied();
    const after = randomContent(2 * MIB + 5);
    await files.save("a", after);
    await expectInBucket("a", after);
    await files.close(both.target);
    await running.filesystem.release(both.source);
    await expectInBucket("b", content);
  });

  test("S2.12 S3.2 a copy that was closed is published after a crash, though its source was removed", async () => {
    const { running, files, content, copy: both } = await copied({ closeMode: "local" });
    world.emulator.order({
      kind: "UploadPartCopy",
      fault: { kind: "slow", delayMs: 2000 },
      count: 20,
    });
    await files.close(both.target);
    await files.unlink("a");
    await running.stop();
    const next = await again();
    await drained(next.running);
    await expectInBucket("b", content);
    expect(await inBucket("a")).toBeUndefined();
    expect(next.running.publisher.pending()).toEqual([]);
  });

  test("S2.12 the copy, or its source, is renamed before it is published", async () => {
    const { running, files, content, copy: both } = await copied({ closeMode: "local" });
    world.emulator.order({
      kind: "UploadPartCopy",
      fault: { kind: "slow", delayMs: 300 },
      count: 20,
    });
    await files.close(both.target);
    await files.rename("b", "c");
    await files.rename("a", "d");
    await running.filesystem.release(both.source);
    await drained(running);
    await expectInBucket("c", content);
    await expectInBucket("d", content);
    expect(world.emulator.objects("bucket").map(({ key }) => key)).toEqual(["c", "d"]);
  });

  test("S3.3 S2.12 the source was changed by another client: the copy is refused, not mixed", async () => {
    const { running, files, copy: both } = await copied();
    await putForeign("a", randomContent(SIZE));
    await expect(files.close(both.target)).rejects.toMatchObject({ code: "Conflict" });
    await running.filesystem.release(both.source);
    expect(await inBucket("b")).toBeUndefined();
  });
});
