// A mount is killed with files that are not in the bucket, and its catalog is lost or damaged: `salvage` gives them back.

import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sh, until } from "../support/mount.ts";
import { emulator, env, local, mount, mountBeforeEach, why } from "../support/mounted.ts";

mountBeforeEach("salvage", ["--close", "local"]);

const LARGE = 20 * 1024 * 1024 + 77;

/** One file of several parts, one in the spill, one in the catalog, all closed and none in the bucket. */
async function saveAndKill(): Promise<void> {
  const fault = { kind: "status", status: 503, code: "SlowDown" } as const;
  for (const kind of ["PutObject", "UploadPart"] as const)
    emulator.order({ kind, fault, count: 1_000_000 });
  await sh(
    `mkdir "$SRC" "$DIR/sub"; head -c ${LARGE} /dev/urandom > "$SRC/large"; head -c 300000 /dev/urandom > "$SRC/middle"; echo small > "$SRC/small"
     cp -p "$SRC/large" "$DIR/sub/large"; cp -p "$SRC/middle" "$DIR/middle"; cp -p "$SRC/small" "$DIR/small"`,
    env(),
  );
  await until("all are closed", async () => {
    const { pending } = await mount.status();
    return ["sub/large", "middle", "small"].every((path) =>
      pending.some((each) => each.path === path && each.promised),
    );
  });
  await mount.kill();
}

/** Every name, size, time and byte below the state directory. */
async function fingerprint(dir: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(dir, { recursive: true })).sort()) {
    const at = await stat(join(dir, name));
    hash.update(`${name} ${at.size} ${at.mtimeMs} ${at.mode}\n`);
    if (at.isFile()) hash.update(await readFile(join(dir, name)));
  }
  return hash.digest("hex");
}

async function isSame(path: string, of: string): Promise<boolean> {
  const [a, b] = [await readFile(join(local, "out", path)), await readFile(join(local, "src", of))];
  return a.equals(b);
}

describe.skipIf(why !== undefined)("salvage", () => {
  test("S3.9 with the catalog: all files, whole; the state directory is not changed, and mounts again", async () => {
    await saveAndKill();
    const before = await fingerprint(mount.stateDir);
    const { code, stdout, stderr } = await mount.command([
      "salvage",
      mount.stateDir,
      join(local, "out"),
    ]);
    expect(stderr + code).toBe("0");
    expect(stdout).toContain("4 of 4 files are complete");
    expect(await fingerprint(mount.stateDir)).toBe(before);
    expect(await isSame("sub/large", "large")).toBe(true);
    expect(await isSame("middle", "middle")).toBe(true);
    expect(await isSame("small", "small")).toBe(true);
    await sh(
      'for f in middle small; do [ "$(stat -c "%a %Y" "$SRC/$f")" = "$(stat -c "%a %Y" "$SRC/../out/$f")" ]; done',
      env(),
    );
    for (const order of emulator.orders()) order.cancel();
    await mount.start();
    expect((await mount.unmount()).code).toBe(0);
    expect(emulator.objects("bucket").map(({ key }) => key)).toEqual(
      expect.arrayContaining(["middle", "small", "sub/large"]),
    );
  });

  test("S3.9 with the catalog lost: what is in the spill, equal bytes", async () => {
    await saveAndKill();
    await rename(join(mount.stateDir, "catalog"), join(local, "catalog"));
    const { code, stdout } = await mount.command(["salvage", mount.stateDir, join(local, "out")]);
    expect(stdout).toContain("The catalog cannot be read (there is no catalog)");
    expect(stdout).toContain("2 of 2 files are complete");
    expect(code).toBe(0);
    expect(await isSame("sub/large", "large")).toBe(true);
    expect(await isSame("middle", "middle")).toBe(true);
  });

  test("S3.9 with a damaged catalog: mount refuses it and names salvage, which works", async () => {
    await saveAndKill();
    const catalog = join(mount.stateDir, "catalog");
    for (const name of await readdir(catalog))
      if (name.startsWith("MANIFEST"))
        await writeFile(join(catalog, name), "not what LevelDB wrote");
    const refused = await mount.command(mount.mountArgs());
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("kodomount salvage");
    const { stdout } = await mount.command(["salvage", mount.stateDir, join(local, "out")]);
    expect(stdout).toContain("The catalog cannot be read");
    expect(await isSame("sub/large", "large")).toBe(true);
  });

  test("S3.9 with a part that the disk has changed: named with its bytes, and not taken for whole", async () => {
    await saveAndKill();
    const spill = join(mount.stateDir, "spill");
    const [rotted] = (await readdir(spill, { recursive: true })).filter((name) =>
      /\/00002\.\d+$/.test(name),
    );
    await cp(spill, join(local, "spill"), { recursive: true });
    await writeFile(join(spill, rotted ?? ""), "rotted", { flag: "r+" });
    const { code, stdout } = await mount.command(["salvage", mount.stateDir, join(local, "out")]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /incomplete {2}sub\/large, 20\.0 MiB \(\w+\), as sub\/large\.incomplete\n {4}bytes 8388608 to 16777215 are missing: not what was hashed/,
    );
  });

  test("refuses a state directory that is in use, also while its process hangs", async () => {
    await mkdir(join(local, "src"));
    const { pid } = await mount.status();
    const args = ["salvage", mount.stateDir, join(local, "out")];
    expect((await mount.command(args)).stderr).toContain(`it is in use by process ${pid}`);
    await rm(join(mount.stateDir, "control.sock"));
    expect((await mount.command(args)).stderr).toContain(`it is in use by process ${pid}`);
    process.kill(pid, "SIGKILL");
    await mount.died();
    expect((await mount.command(args)).code).toBe(0);
  });
});
