// More is written than the spill has room for, or than the network takes.

import { describe, expect, test } from "vitest";
import type { HandleId } from "../../src/model/mod.ts";
import type { Driver } from "../support/driver.ts";
import {
  begin,
  count,
  endWorldAfterEach,
  expectInBucket,
  inBucket,
  world,
} from "../support/scene.ts";
import { watched } from "../support/watchdog.ts";
import { type Running, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;
const PIECE = 256 * 1024;

endWorldAfterEach();

/** An outage for requests of a kind, until it is cancelled. */
function outage(kind: "UploadPart" | "CompleteMultipartUpload"): () => void {
  const fault = { kind: "status", status: 503, code: "SlowDown" } as const;
  const order = world.emulator.order({ kind, fault, count: 1_000_000 });
  return () => order.cancel();
}

class Writers {
  readonly contents = new Map<string, Buffer>();
  written = 0;
  most = 0;
  readonly #running: Running;
  readonly #files: Driver;

  constructor(running: Running, files: Driver) {
    this.#running = running;
    this.#files = files;
  }

  /** Writes a file from its start to its end and closes it. */
  async save(name: string, size: number): Promise<void> {
    const content = randomContent(size);
    this.contents.set(name, content);
    const handle = await this.#files.create(name);
    for (let at = 0; at < size; at += PIECE) {
      await this.#files.write(handle, at, content.subarray(at, at + PIECE));
      this.written += 1;
      this.most = Math.max(this.most, this.#running.spill.usage().used);
    }
    await this.#files.close(handle);
  }

  async checkBucket(): Promise<void> {
    for (const [name, content] of this.contents) await expectInBucket(name, content);
  }
}

describe("S2.14 many writers over a small spill", () => {
  for (const { writers, limit, size } of [
    { writers: 64, limit: 64, size: 3 * MIB + 77 },
    { writers: 16, limit: 4, size: 5 * MIB },
    { writers: 8, limit: 32, size: 12 * MIB },
  ])
    test(`${writers} writers over ${limit} MiB in parts of 1 MiB: all are saved, the bound holds but for one part each`, async () => {
      const { running, files } = await begin({ spillLimit: limit * MIB });
      const all = new Writers(running, files);
      const names = Array.from({ length: writers }, (_, index) => `file-${index}`);
      const saving = Promise.all(names.map((name) => all.save(name, size)));
      await watched(running, () => all.written, saving);
      await all.checkBucket();
      expect(all.most).toBeLessThanOrEqual((limit + writers) * MIB);
      await expect.poll(() => running.spill.usage().used).toBe(0);
    }, 180_000);

  test("who waits for room goes on when what was closed is in the bucket, and none becomes streaming", async () => {
    const { running, files } = await begin({ spillLimit: 4 * MIB, closeMode: "local" });
    const over = outage("CompleteMultipartUpload");
    const first = randomContent(4 * MIB);
    await files.save("first", first);
    const handle = await files.create("second");
    const second = randomContent(2 * MIB);
    let isWritten = false;
    const writing = files.write(handle, 0, second.subarray(0, MIB)).then(async () => {
      await files.write(handle, MIB, second.subarray(MIB));
      isWritten = true;
    });
    await expect.poll(() => running.spill.waiting().length).toBe(1);
    expect(isWritten).toBe(false);
    expect(running.publisher.pending().some(({ streaming }) => streaming)).toBe(false);
    over();
    await watched(running, () => undefined, writing);
    await files.close(handle);
    await expect.poll(async () => (await inBucket("second"))?.equals(second)).toBe(true);
  });

  test("files that cannot be streamed: the newest is ENOSPC and fails, and nobody waits for ever", async () => {
    const { running, files } = await begin({ spillLimit: 4 * MIB });
    const contents = [randomContent(4 * MIB), randomContent(4 * MIB)];
    const handles: HandleId[] = [];
    for (const [index, content] of contents.entries()) {
      const handle = await files.create(`synced-${index}`);
      await files.write(handle, 0, content.subarray(0, MIB));
      await running.filesystem.fsync(request(), handle, false);
      handles.push(handle);
    }
    const outcomes: string[] = [];
    const writing = contents.map(async (content, index) => {
      const handle = handles[index];
      if (handle === undefined) return;
      for (let at = MIB; at < content.length; at += MIB) {
        const error = await files.write(handle, at, content.subarray(at, at + MIB)).then(
          () => undefined,
          (failure: { code: string }) => failure.code,
        );
        if (error !== undefined) outcomes.push(error);
        if (error !== undefined) break;
      }
    });
    await watched(running, () => outcomes, Promise.all(writing));
    expect(new Set(outcomes)).toEqual(new Set(["NoSpace"]));
  });
});

describe("S2.15 pacing", () => {
  /** Writes until a write waits; says how far it came. */
  async function writeUntilItWaits(
    running: Running,
    handle: HandleId,
  ): Promise<{ size: number; waiting: Promise<void>; abort: AbortController }> {
    const abort = new AbortController();
    for (let size = 0; ; size += MIB) {
      const data = randomContent(MIB);
      const writing = running.filesystem.write(
        request({ signal: abort.signal }),
        handle,
        size,
        data,
      );
      const late = new Promise<"late">((resolve) => setTimeout(() => resolve("late"), 1000));
      if ((await Promise.race([writing, late])) === "late")
        return { size, waiting: writing, abort };
      if (size > 64 * MIB) throw new Error("it never waits");
    }
  }

  test("a write waits for the network when half of the spill is on its way, and goes on with it", async () => {
    const { running, files } = await begin({ spillLimit: 64 * MIB });
    const over = outage("UploadPart");
    const handle = await files.create("paced");
    const { size, waiting } = await writeUntilItWaits(running, handle);
    // Part 1 and the one that was just left are not on their way yet.
    expect(size).toBe(33 * MIB);
    expect(running.spill.waiting()).toEqual([]);
    expect((await files.stat("paced")).size).toBe(size);
    await files.save("other", Buffer.from("is not held up"));
    over();
    await watched(running, () => count("UploadPart"), waiting);
    await files.close(handle);
    expect((await inBucket("paced"))?.length).toBe(34 * MIB);
  });

  test("a signal ends the wait, and the file is as good as before", async () => {
    const { running, files } = await begin({ spillLimit: 32 * MIB });
    const over = outage("UploadPart");
    const handle = await files.create("paced");
    const { size, waiting, abort } = await writeUntilItWaits(running, handle);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: "Interrupted" });
    over();
    await files.write(handle, size, Buffer.from("more"));
    await files.close(handle);
    expect((await inBucket("paced"))?.length).toBe(size + 4);
  });

  test("others may read, fsync and close the file of a write that waits", async () => {
    const { running, files } = await begin({ spillLimit: 32 * MIB });
    const over = outage("UploadPart");
    const handle = await files.create("paced");
    const { waiting, abort } = await writeUntilItWaits(running, handle);
    const { filesystem } = running;
    expect((await filesystem.read(request(), handle, 5 * MIB, 10)).length).toBe(10);
    await filesystem.fsync(request(), handle, false);
    const second = await files.open("paced");
    const exiting = { end: "exited", tgid: 2000, heldElsewhere: false } as const;
    await filesystem.flush(request(), second, exiting);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: "Interrupted" });
    over();
    await filesystem.release(second);
    await files.close(handle);
  });

  test("--close=local is not paced below the limit of the spill", async () => {
    const { running, files } = await begin({ spillLimit: 32 * MIB, closeMode: "local" });
    const over = outage("UploadPart");
    const handle = await files.create("local");
    for (let at = 0; at < 30 * MIB; at += MIB) await files.write(handle, at, randomContent(MIB));
    await files.close(handle);
    expect(running.publisher.pending()).toMatchObject([{ state: "closed", size: 30 * MIB }]);
    over();
    await expect.poll(async () => (await inBucket("local"))?.length).toBe(30 * MIB);
  });
});
