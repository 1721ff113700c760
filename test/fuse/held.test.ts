// Programs that save under a temporary name, on a real mount of the embedded store: rsync, and what safetensors 0.8 does.
// What it costs is counted; what a kill leaves is looked for.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { run, sh, sha, start, until } from "../support/mount.ts";
import { emulator, env, local, mount, mountBeforeEach, why } from "../support/mounted.ts";

const SIZE = 60_000_000;
const PARTS = Math.ceil(SIZE / (8 * 1024 * 1024));

mountBeforeEach("temporary names on a real mount");
beforeEach(async () => {
  if (why === undefined) await mkdir(join(local, "src"));
});

/** Changes that the bucket has answered with success. */
function counts(): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { kind, status } of emulator.requests())
    if (status >= 200 && status < 300 && !/^(Get|Head|List)/.test(kind))
      all[kind] = (all[kind] ?? 0) + 1;
  return all;
}

/** Names that start with a dot, in any request. */
function temporaryNames(): string[] {
  return emulator
    .requests()
    .flatMap(({ key }) => (/(^|\/)\.(?!kodomount-probe)[^/]/.test(key ?? "") ? [key ?? ""] : []));
}

async function expectSaved(name: string, source = name): Promise<void> {
  expect(await sha(join(mount.dir, name))).toBe(await sha(join(local, "src", source)));
}

const MODEL = `head -c ${SIZE} /dev/urandom > $SRC/model && touch -d '2024-02-03 04:05:06.789' $SRC/model && chmod 640 $SRC/model`;

/** The writes of safetensors 0.8's save_file, without its content: argv is directory, source, name. */
const SAFETENSORS = `
import os, sys, time
d, src, name = sys.argv[1:4]
tmp = d + "/.tmpAb12cD"
fd = os.open(tmp, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
data = open(src, "rb").read()
os.ftruncate(fd, len(data))
for at in range(0, len(data), 1 << 20):
    os.write(fd, data[at:at + (1 << 20)])
    if len(sys.argv) > 4 and at >= len(data) // 2:
        print("half", flush=True); time.sleep(100)
os.rename(tmp, d + "/" + name)
os.close(fd)
`;

describe.skipIf(why !== undefined)("temporary names", () => {
  test("S5.7 rsync -a: one upload, no copy, no temporary name; again, remounted, and on another machine it changes nothing", async () => {
    await sh(`${MODEL}; echo small > $SRC/small; rsync -a $SRC/ $DIR/r/`, env());
    await until("it is in the bucket", async () => (await mount.status()).pending.length === 0);
    const { PutObject: puts, ...others } = counts();
    expect(others).toEqual({
      CreateMultipartUpload: 1,
      UploadPart: PARTS,
      CompleteMultipartUpload: 1,
    });
    // The small file, and the directory: once more where its time was set after it had been put.
    expect(puts).toBeGreaterThanOrEqual(2);
    expect(puts).toBeLessThanOrEqual(3);
    expect(temporaryNames()).toEqual([]);
    const changes = "rsync -ai $SRC/ $DIR/r/";
    expect(await sh(changes, env())).toBe("");
    expect((await mount.unmount()).code).toBe(0);
    await mount.start();
    expect(await sh(changes, env())).toBe("");
    expect((await mount.unmount()).code).toBe(0);
    await mount.forget();
    await mount.start();
    // A directory's time is not kept in the bucket.
    expect(await sh("rsync -aiO $SRC/ $DIR/r/", env())).toBe("");
    await expectSaved("r/model", "model");
    expect(await sh("stat -c '%a %Y' $DIR/r/model", env())).toBe(
      await sh("stat -c '%a %Y' $SRC/model", env()),
    );
  });

  test("S5.7 rsync --delay-updates, and -c over an older version", async () => {
    await sh(`${MODEL}; rsync -a --delay-updates $SRC/ $DIR/`, env());
    await until("it is in the bucket", async () => (await mount.status()).pending.length === 0);
    expect(counts()).toEqual({
      CreateMultipartUpload: 1,
      UploadPart: PARTS,
      CompleteMultipartUpload: 1,
    });
    expect(temporaryNames()).toEqual([]);
    await expectSaved("model");
    await sh(
      "printf changed | dd of=$SRC/model bs=1 seek=30000000 conv=notrunc status=none; rsync -ac $SRC/ $DIR/",
      env(),
    );
    await until("it is in the bucket", async () => (await mount.status()).pending.length === 0);
    await expectSaved("model");
    // Only the part that differs was sent; the others are copied in the store.
    expect(counts()["UploadPart"]).toBe(PARTS + 1);
    expect(counts()["CopyObject"]).toBeUndefined();
    // What the object says of its time is the source's, not the replaced file's.
    expect((await mount.unmount()).code).toBe(0);
    await mount.forget();
    await mount.start();
    expect(await sh("rsync -aiO $SRC/ $DIR/", env())).toBe("");
  });

  for (const signal of ["SIGKILL", "SIGTERM"] as const)
    test(`S5.10 rsync is ended by ${signal} at half: no temporary name in the bucket, and rsync again sends only what is missing`, async () => {
      await sh(MODEL, env());
      const rsync = start("rsync -a --bwlimit=8000 $SRC/ $DIR/", env());
      await until("three parts are acknowledged", () => (counts()["UploadPart"] ?? 0) >= 3);
      // All of its three processes: the writer is a child of a child.
      await sh(
        `child=$(pgrep -P ${rsync.pid}); kill -s ${signal} $(pgrep -P $child) $child ${rsync.pid}`,
      );
      await rsync.ended;
      await until("it is not written any more", async () =>
        (await mount.status()).pending.every(({ state }) => state !== "open"),
      );
      expect(emulator.objects("bucket")).toEqual([]);
      await sh("rsync -a $SRC/ $DIR/", env());
      await until("it is in the bucket", async () => (await mount.status()).pending.length === 0);
      // rsync that has time for it closes what it had, so that the last part, half of it, has been sent.
      expect(counts()["UploadPart"]).toBeLessThanOrEqual(PARTS + (signal === "SIGTERM" ? 1 : 0));
      expect(counts()["CreateMultipartUpload"]).toBe(1);
      expect(temporaryNames()).toEqual([]);
      await expectSaved("model");
    });

  test("S5.8 safetensors 0.8: one upload under the final name, no copy; with the mount killed at half nothing is torn", async () => {
    await sh(MODEL, env());
    await writeFile(join(local, "save.py"), SAFETENSORS);
    const line = `python3 ${join(local, "save.py")} $DIR $SRC/model model`;
    const half = start(`${line} half`, env());
    await until("half is written", async () =>
      (await mount.status()).pending.some(({ state }) => state === "open"),
    );
    await mount.kill();
    half.kill("SIGKILL");
    await half.ended;
    await mount.start();
    expect(emulator.objects("bucket")).toEqual([]);
    await sh(line, env());
    expect(counts()).toEqual({
      CreateMultipartUpload: 1,
      UploadPart: PARTS,
      CompleteMultipartUpload: 1,
    });
    expect(temporaryNames()).toEqual([]);
    await expectSaved("model");
  });

  for (const step of [
    "save.held",
    "namespace.journalled",
    "save.completing",
    "complete.sent",
    "save.committed",
  ])
    test(`S5.10 the mount is killed at ${step} of an rsync: nothing torn, and rsync again sends nothing twice`, async () => {
      await sh(MODEL, env());
      expect((await mount.unmount()).code).toBe(0);
      await mount.start({ KODOMOUNT_KILL_AT: step });
      expect((await run("bash", ["-c", "rsync -a $SRC/ $DIR/"], { env: env() })).code).not.toBe(0);
      await mount.died();
      await mount.start();
      await until("what was promised is published", async () =>
        (await mount.status()).pending.every(({ promised }) => !promised),
      );
      const sizes = emulator.objects("bucket").map(({ key, size }) => `${key} ${size}`);
      expect([[], [`model ${SIZE}`]]).toContainEqual(sizes);
      await sh("rsync -a $SRC/ $DIR/", env());
      await until("it is in the bucket", async () => (await mount.status()).pending.length === 0);
      expect(counts()["UploadPart"]).toBe(PARTS);
      expect(temporaryNames()).toEqual([]);
      await expectSaved("model");
    });
});
