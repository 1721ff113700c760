// Names that are certainly temporary: nothing is published under them, their rename costs one request, and what was left
// under them is found again under the name that it was to have.

import { describe, expect, test } from "vitest";
import { type HandleId, toKey } from "../../src/model/mod.ts";
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
import { drained, LIVE_CLOSE, type Running, randomContent, request } from "../support/world.ts";

const MIB = 1024 * 1024;
const TEMPORARY = ".model.a1B2c3";

endWorldAfterEach();

/** As mkstemp(3) makes it. */
async function createPrivate(running: Running, files: Driver, path: string): Promise<HandleId> {
  const { parent, name } = await files.parent(path);
  const flags = { read: true, write: true, append: false, truncate: false, exclusive: true };
  const { opened } = await running.filesystem.create(request(), parent, name, {
    mode: 0o600,
    flags,
  });
  return opened.handle;
}

async function write(files: Driver, handle: HandleId, content: Buffer): Promise<void> {
  for (let at = 0; at < content.length; at += 256 * 1024)
    await files.write(handle, at, content.subarray(at, at + 256 * 1024));
}

/** All of it, under a temporary name, up to its close. */
async function saveTemporary(
  running: Running,
  files: Driver,
  content: Buffer,
  path = TEMPORARY,
): Promise<void> {
  const handle = await createPrivate(running, files, path);
  await write(files, handle, content);
  await files.close(handle);
}

/** As rsync that is run once more: another temporary name, the same final one. */
async function tryAgain(running: Running, files: Driver, content: Buffer): Promise<void> {
  await saveTemporary(running, files, content, ".model.Zz9Zz9");
  await files.rename(".model.Zz9Zz9", "model");
  await drained(running);
  await expectInBucket("model", content);
}

/** Everything that was ever asked of the bucket under a name that starts with a dot. */
function askedOfTemporary(): string[] {
  return world.emulator
    .requests()
    .filter(
      ({ key, kind }) =>
        key?.split("/").some((name) => /^\.[mt~]/.test(name)) && !kind.startsWith("List"),
    )
    .map(({ kind, key }) => `${kind} ${key}`);
}

const states = ({ publisher }: Running): string[] =>
  publisher.pending().map(({ state, path }) => `${state} ${path}`);

describe("held names", () => {
  test("S5.7 rsync: parts go to the final name while they are written, the rename costs one Complete", async () => {
    const { running, files } = await begin();
    const content = randomContent(5 * MIB + 77);
    const handle = await createPrivate(running, files, TEMPORARY);
    await write(files, handle, content.subarray(0, 4 * MIB));
    await expect.poll(() => count("UploadPart", "model")).toBeGreaterThan(0);
    await files.write(handle, 4 * MIB, content.subarray(4 * MIB));
    await files.close(handle);
    expect(count("UploadPart", "model")).toBe(6);
    expect(await inBucket("model")).toBeUndefined();
    expect(states(running)).toEqual([`held ${TEMPORARY}`]);
    expect((await files.read(TEMPORARY)).equals(content)).toBe(true);
    await files.rename(TEMPORARY, "model");
    await expectInBucket("model", content);
    await drained(running);
    expect(askedOfTemporary()).toEqual([]);
    expect(count("UploadPart") + count("CreateMultipartUpload")).toBe(7);
    expect(count("CopyObject") + count("DeleteObject") + count("AbortMultipartUpload")).toBe(0);
    expect((await files.read("model")).equals(content)).toBe(true);
  });

  test("S5.7 rsync over an existing object: it stays until the new one is complete", async () => {
    const { running, files } = await begin();
    const old = randomContent(3 * MIB);
    await files.save("model", old);
    const content = randomContent(3 * MIB);
    await saveTemporary(running, files, content);
    await expectInBucket("model", old);
    expect((await files.read("model")).equals(old)).toBe(true);
    await files.rename(TEMPORARY, "model");
    await drained(running);
    await expectInBucket("model", content);
    expect(count("CopyObject") + count("DeleteObject")).toBe(0);
  });

  test("S5.7 a small file is one PutObject under its final name, with what was set before the rename", async () => {
    const { running, files } = await begin();
    const handle = await createPrivate(running, files, TEMPORARY);
    await files.write(handle, 0, Buffer.from("small"));
    await files.close(handle);
    const ino = await files.ino(TEMPORARY);
    await running.filesystem.setattr(request(), ino, { mtimeMs: 1_600_000_000_000, mode: 0o640 });
    await files.rename(TEMPORARY, "model");
    await drained(running);
    expect((await inBucket("model"))?.toString()).toBe("small");
    expect((await world.bucket().head(toKey("model")))?.metadata).toMatchObject({
      mtime: "1600000000.000000000",
      mode: String(0o100640),
    });
    expect(count("PutObject")).toBe(1);
    expect(askedOfTemporary()).toEqual([]);
  });

  test("S5.8 safetensors: renamed while open, close waits for the commit under the final name; nothing is sent twice", async () => {
    const { running, files } = await begin();
    const content = randomContent(4 * MIB + 5);
    const handle = await createPrivate(running, files, ".tmpAb12cD");
    const ino = await files.ino(".tmpAb12cD");
    await running.filesystem.setattr(request(), ino, { size: content.length });
    await write(files, handle, content);
    expect(count("CreateMultipartUpload")).toBe(0);
    await files.rename(".tmpAb12cD", "model.safetensors");
    await files.close(handle);
    await expectInBucket("model.safetensors", content);
    await drained(running);
    expect(count("UploadPart") + count("CreateMultipartUpload")).toBe(6);
    expect(count("CopyObject") + count("DeleteObject") + count("AbortMultipartUpload")).toBe(0);
    expect(askedOfTemporary()).toEqual([]);
  });

  test("S5.9 a wrong guess is right all the same, and its upload is aborted", async () => {
    const { running, files } = await begin();
    const content = randomContent(3 * MIB);
    await saveTemporary(running, files, content);
    await files.rename(TEMPORARY, "other");
    await drained(running);
    await expectInBucket("other", content);
    expect(await inBucket("model")).toBeUndefined();
    await expect.poll(() => count("AbortMultipartUpload", "model")).toBe(1);
    expect(await world.emulator.uploads()).toEqual([]);
  });

  test("S5.9 the final name is being saved by somebody else: both are right, the rename wins", async () => {
    const { running, files } = await begin();
    const other = await files.create("model");
    await files.write(other, 0, randomContent(2 * MIB));
    const content = randomContent(3 * MIB);
    await saveTemporary(running, files, content);
    await files.rename(TEMPORARY, "model");
    await files.close(other);
    await drained(running);
    await expectInBucket("model", content);
  });

  test("S5.10 never renamed: interrupted under the final name, a second try sends only what is missing", async () => {
    const { running, files } = await begin({ holdMs: 50 });
    const content = randomContent(4 * MIB);
    await saveTemporary(running, files, content);
    await expect.poll(() => states(running)).toEqual(["interrupted model"]);
    expect(await files.list("")).toEqual([]);
    const sent = count("UploadPart");
    await tryAgain(running, files, content);
    expect(states(running)).toEqual([]);
    expect(count("UploadPart")).toBe(sent);
  });

  test("S5.10 the writer is killed, then the mount: a second try sends only what is missing", async () => {
    const { running, files } = await begin();
    const content = randomContent(5 * MIB);
    const handle = await createPrivate(running, files, TEMPORARY);
    await write(files, handle, content.subarray(0, 4 * MIB));
    await expect.poll(() => running.publisher.pending()[0]?.partsAcknowledged).toBe(2);
    await running.filesystem.flush(request(), handle, { ...LIVE_CLOSE, end: "killed" });
    await running.filesystem.release(handle);
    await running.stop();
    const next = await again();
    expect(states(next.running)).toEqual(["interrupted model"]);
    await tryAgain(next.running, next.files, content);
    // Parts 2 and 3 had gone out.
    expect(count("UploadPart")).toBe(5);
    expect(askedOfTemporary()).toEqual([]);
  });

  test("S5.10 the mount dies between close and rename: nothing is published, the next try costs one Complete", async () => {
    const { running, files } = await begin();
    const content = randomContent(3 * MIB);
    await saveTemporary(running, files, content);
    await running.stop();
    const next = await again();
    expect(states(next.running)).toEqual(["interrupted model"]);
    await tryAgain(next.running, next.files, content);
    expect(count("UploadPart")).toBe(3);
  });

  test("S3.4 loss of power right after the rename: the store has every part, so it is published", async () => {
    const { running, files } = await begin();
    const content = randomContent(3 * MIB);
    await saveTemporary(running, files, content);
    const refusal = world.emulator.order({
      kind: "CompleteMultipartUpload",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1000,
    });
    await files.rename(TEMPORARY, "model");
    const next = await world.startAfterPowerLoss(running);
    refusal.cancel();
    await drained(next);
    await expectInBucket("model", content);
    expect(count("UploadPart")).toBe(3);
  });

  test("S5.7 written again after its close, cut, read, removed: as any other file", async () => {
    const { running, files } = await begin();
    const content = randomContent(2 * MIB + 10);
    await saveTemporary(running, files, content);
    const more = await files.open(TEMPORARY);
    await files.write(more, 5, Buffer.from("changed"));
    await files.close(more);
    await files.truncate(TEMPORARY, 2 * MIB);
    const expected = Buffer.from(content.subarray(0, 2 * MIB));
    expected.write("changed", 5);
    expect((await files.read(TEMPORARY)).equals(expected)).toBe(true);
    await files.rename(TEMPORARY, "model");
    await drained(running);
    await expectInBucket("model", expected);
    await saveTemporary(running, files, content, ".x.a1B2c3");
    await files.unlink(".x.a1B2c3");
    await drained(running);
    expect(await files.list("")).toEqual(["model"]);
    expect(await inBucket("x")).toBeUndefined();
  });

  test("S5.11 --hold: a directory of such a name holds what is in it until its rename", async () => {
    const { running, files } = await begin({ hold: ["*.orbax-checkpoint-tmp"], holdMs: 1 });
    const content = randomContent(2 * MIB);
    await files.mkdir("5.orbax-checkpoint-tmp");
    await files.mkdir("5.orbax-checkpoint-tmp/d");
    await files.save("5.orbax-checkpoint-tmp/d/0", content);
    await files.save("5.orbax-checkpoint-tmp/_METADATA", Buffer.from("{}"));
    expect(await files.list("5.orbax-checkpoint-tmp")).toEqual(["_METADATA", "d"]);
    expect(world.emulator.objects("bucket")).toEqual([]);
    await files.rename("5.orbax-checkpoint-tmp", "5");
    await drained(running);
    await expectInBucket("5/d/0", content);
    expect((await inBucket("5/_METADATA"))?.toString()).toBe("{}");
    expect(await files.list("5")).toEqual(["_METADATA", "d"]);
    expect(
      world.emulator.requests().filter(({ key }) => key?.includes("orbax") && key !== ""),
    ).toEqual([]);
    expect(count("CopyObject") + count("DeleteObject") + count("AbortMultipartUpload")).toBe(0);
  });

  test("S5.7 what another client puts under the temporary name is not touched", async () => {
    const { running, files } = await begin();
    await putForeign(".model.b1B2c3", Buffer.from("theirs"));
    expect((await files.read(".model.b1B2c3")).toString()).toBe("theirs");
    await drained(running);
    expect((await inBucket(".model.b1B2c3"))?.toString()).toBe("theirs");
  });

  test("S5.12 .kodomount/interrupted shows what was left, read-only, and the root does not list it", async () => {
    const { running, files } = await begin();
    const content = randomContent(2 * MIB + 5);
    await files.mkdir("d");
    const handle = await createPrivate(running, files, `d/${TEMPORARY}`);
    await write(files, handle, content);
    await running.filesystem.flush(request(), handle, { ...LIVE_CLOSE, end: "killed" });
    await running.filesystem.release(handle);
    expect(await files.list("")).toEqual(["d"]);
    expect(await files.list("d")).toEqual([]);
    expect(await files.list(".kodomount")).toEqual(["interrupted"]);
    expect(await files.list(".kodomount/interrupted")).toEqual(["d"]);
    expect(await files.list(".kodomount/interrupted/d")).toEqual(["model"]);
    const kept = ".kodomount/interrupted/d/model";
    expect((await files.read(kept)).equals(content)).toBe(true);
    const refusals = [
      () => files.save(".kodomount/x", Buffer.from("x")),
      () => files.save(".kodomount", Buffer.from("x")),
      () => files.mkdir(".kodomount/interrupted/e"),
      () => files.open(kept),
      () => files.truncate(kept, 0),
      () => files.unlink(kept),
      () => files.rmdir(".kodomount/interrupted/d"),
      () => files.rename(kept, "taken"),
      () => files.rename("d", ".kodomount"),
      () => files.rename("d", ".kodomount/d"),
    ];
    for (const refused of refusals)
      await expect(refused()).rejects.toMatchObject({ code: "NotPermitted" });
    const save = running.publisher.find(toKey("d/model"))?.interrupted;
    if (save === undefined) throw new Error("it is interrupted");
    await running.publisher.act("publish", save);
    await drained(running);
    await expectInBucket("d/model", content);
    expect(await files.list(".kodomount/interrupted")).toEqual([]);
  });
});
