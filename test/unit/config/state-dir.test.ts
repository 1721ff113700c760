// The state directory before use: made private, and refused in one line where it cannot keep what it promises.

import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultSpillLimit, prepareStateDir, type StateDirIo } from "../../../src/config/mod.ts";

const GIB = 1024 ** 3;
const EXT4 = 0xef53;

let base: string;
beforeEach(async () => {
  base = await mkdtemp(path.join(os.tmpdir(), "kodomount-state-"));
});
afterEach(async () => {
  await rm(base, { recursive: true });
});

function disk(changes: Partial<{ type: number; bavail: number }> = {}): StateDirIo {
  return { statfs: async () => ({ type: EXT4, bsize: 1, bavail: 100 * GIB, ...changes }) };
}

function prepare(
  stateDir: string,
  io: StateDirIo = disk(),
  closeMode: "commit" | "local" = "commit",
): Promise<void> {
  return prepareStateDir({ stateDir, dir: path.join(base, "mnt"), closeMode }, io);
}

describe("prepareStateDir", () => {
  it("makes the directory and its parents for this user alone, and leaves nothing in it", async () => {
    const stateDir = path.join(base, "a", "b");
    await prepare(stateDir);
    expect((await stat(stateDir)).mode & 0o777).toBe(0o700);
    expect(await readdir(stateDir)).toEqual([]);
  });

  it("takes the one of an earlier run, and closes it to others", async () => {
    const stateDir = path.join(base, "old");
    await mkdir(path.join(stateDir, "catalog"), { recursive: true, mode: 0o755 });
    await prepare(stateDir);
    expect((await stat(stateDir)).mode & 0o777).toBe(0o700);
  });

  it("leaves a directory of somebody else as it is", async () => {
    const stateDir = path.join(base, "home");
    await mkdir(stateDir, { mode: 0o755 });
    await writeFile(path.join(stateDir, "thesis.tex"), "");
    await expect(prepare(stateDir)).rejects.toThrow(
      `Cannot use the state directory "${stateDir}": it has other files in it ("thesis.tex"); choose an empty directory by '--state-dir'`,
    );
    expect((await stat(stateDir)).mode & 0o777).toBe(0o755);
  });

  it("refuses what is no directory", async () => {
    const file = path.join(base, "file");
    await writeFile(file, "");
    await expect(prepare(file)).rejects.toThrow(
      `Cannot use the state directory "${file}": it is not a directory; choose another by '--state-dir'`,
    );
    await expect(prepare(path.join(file, "below"))).rejects.toThrow(
      "a part of the path is not a directory; choose another",
    );
  });

  it.each(["mnt", "mnt/state", "."])(
    "refuses to be inside the mount point or around it: %s",
    async (where) => {
      const stateDir = path.join(base, where);
      await expect(prepare(stateDir)).rejects.toThrow(
        `Cannot use the state directory "${stateDir}": it and the mount point ${base}/mnt must not be inside each other; choose another by '--state-dir'`,
      );
    },
  );

  it.each([
    [0x6969, "NFS"],
    [0xff534d42, "CIFS"],
    [0xff534d42 | 0, "CIFS"],
    [0xfe534d42, "SMB"],
    [0x65735546, "FUSE"],
    [0x00c36400, "Ceph"],
    [0x01021997, "9p"],
    [0x5346414f, "AFS"],
    [0x0bd00bd0, "Lustre"],
    [0x47504653, "GPFS"],
  ])("refuses filesystem %i, which is %s", async (type, name) => {
    const stateDir = path.join(base, "state");
    await expect(prepare(stateDir, disk({ type }))).rejects.toThrow(
      `Cannot use the state directory "${stateDir}": it is on ${name}, which can go away or lie about syncs; choose a local disk by '--state-dir'`,
    );
  });

  it.each([
    [0x01021994, "tmpfs"],
    [0x794c7630, "overlay"],
  ])(
    "refuses filesystem %i for '--close=local' only, since %s is lost with the machine",
    async (type, name) => {
      const stateDir = path.join(base, "state");
      await prepare(stateDir, disk({ type }), "commit");
      await expect(prepare(stateDir, disk({ type }), "local")).rejects.toThrow(
        `it is on ${name}, which is lost with the machine`,
      );
    },
  );

  it("refuses a full disk", async () => {
    const stateDir = path.join(base, "state");
    await expect(prepare(stateDir, disk({ bavail: 1024 ** 2 }))).rejects.toThrow(
      `Cannot use the state directory "${stateDir}": its disk is full (1.0 MiB free); make room, at least 16.0 MiB`,
    );
  });
});

describe("defaultSpillLimit", () => {
  it("is most of what is free", async () => {
    expect(await defaultSpillLimit(base, disk())).toBe(80 * GIB);
  });

  it("counts what the spill has already as free, so that a restart with much pending does not shrink it", async () => {
    await mkdir(path.join(base, "spill", "s"), { recursive: true });
    await writeFile(path.join(base, "spill", "s", "00001.1"), Buffer.alloc(1024 ** 2, 1));
    expect(await defaultSpillLimit(base, disk({ bavail: 0 }))).toBeGreaterThanOrEqual(
      Math.floor(0.8 * 1024 ** 2),
    );
  });
});
