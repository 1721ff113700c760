// What `status` says of what is pending is true: what is promised, what the store has, what is waited for, and what is wrong.

import { describe, expect, test } from "vitest";
import type { Pending } from "../../src/publish/mod.ts";
import { begin, endWorldAfterEach, expectInBucket, putForeign, world } from "../support/scene.ts";
import { drained, type Running, randomContent } from "../support/world.ts";

const MIB = 1024 * 1024;

endWorldAfterEach();

function pending(running: Running, path: string): Pending | undefined {
  return running.publisher.pending().find((each) => each.path === path);
}

/** Requests of a kind for keys that start so get 503 until it is cancelled. */
function fail(kind: "PutObject" | "UploadPart" | "CopyObject" | "DeleteObject", key: string) {
  const fault = { kind: "status", status: 503, code: "SlowDown" } as const;
  return world.emulator.order({ kind, key, fault, count: 1_000_000 });
}

describe("pending()", () => {
  test("tells what the store says while it is asked again and again, and nothing of it when that is over", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const failing = fail("PutObject", "a");
    await files.save("a", Buffer.from("a"));
    await files.save("b", Buffer.from("b"));
    running.publisher.hurry();
    await expect
      .poll(() => pending(running, "a")?.error, { timeout: 10_000 })
      .toMatch(/PUT a: the store answers 503 SlowDown/);
    expect(pending(running, "a")).toMatchObject({
      state: "completing",
      promised: true,
      waitsFor: "bytes",
      size: 1,
      bytesAcknowledged: 0,
    });
    expect(pending(running, "b")).toMatchObject({
      state: "closed",
      promised: true,
      waitsFor: "order",
    });
    expect(pending(running, "b")?.error).toBeUndefined();
    failing.cancel();
    await drained(running);
    expect(running.publisher.pending()).toEqual([]);
  });

  test("counts as acknowledged what the store has of this very content", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    const content = randomContent(4 * MIB + 5);
    const last = world.emulator.order({
      kind: "UploadPart",
      key: "a",
      partNumber: 5,
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1_000_000,
    });
    await files.save("a", content);
    await expect
      .poll(() => pending(running, "a")?.bytesAcknowledged, { timeout: 10_000 })
      .toBe(4 * MIB);
    expect(pending(running, "a")).toMatchObject({
      partsAcknowledged: 4,
      partsTotal: 5,
      waitsFor: "bytes",
    });
    await expect.poll(() => pending(running, "a")?.error).toMatch(/503/);
    // The upload stays with the key; of the new content it holds nothing.
    const handle = await files.create("a");
    await files.write(handle, 0, randomContent(2 * MIB));
    const open = running.publisher.pending().find(({ state }) => state === "open");
    expect(open).toMatchObject({ partsAcknowledged: 0, promised: false, waitsFor: "writer" });
    last.cancel();
    await files.close(handle);
    await drained(running);
  });

  test("tells of renames and deletions since when they wait, and why", async () => {
    const { running, files } = await begin();
    await putForeign("from", randomContent(10));
    await putForeign("gone", randomContent(10));
    const copying = fail("CopyObject", "to");
    const deleting = fail("DeleteObject", "gone");
    await files.rename("from", "to");
    await files.unlink("gone");
    for (const path of ["to", "gone"])
      await expect.poll(() => pending(running, path)?.error, { timeout: 10_000 }).toMatch(/503/);
    expect(pending(running, "to")).toMatchObject({
      state: "copy",
      waitsFor: "store",
      promised: true,
    });
    expect(pending(running, "to")?.since).toBeGreaterThan(0);
    expect(pending(running, "from")).toMatchObject({ state: "delete", waitsFor: "copies" });
    expect(pending(running, "gone")).toMatchObject({ state: "delete", waitsFor: "store" });
    expect(pending(running, "gone")?.since).toBeGreaterThan(0);
    copying.cancel();
    deleting.cancel();
    await drained(running);
  });

  test("tells of a Complete that is waited for", async () => {
    const { running, files } = await begin({ closeMode: "local" });
    world.emulator.order({
      kind: "CompleteMultipartUpload",
      fault: { kind: "slow", delayMs: 1000 },
    });
    const content = randomContent(2 * MIB);
    await files.save("a", content);
    await expect.poll(() => pending(running, "a")?.waitsFor, { timeout: 10_000 }).toBe("answer");
    expect(pending(running, "a")).toMatchObject({
      state: "completing",
      bytesAcknowledged: 2 * MIB,
      partsAcknowledged: 2,
    });
    await drained(running);
    await expectInBucket("a", content);
  });
});
