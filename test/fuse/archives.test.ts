// Archived objects and `user.kodomount.*` with the kernel between, by the programs that people use.

import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toKey, toSha256 } from "../../src/model/mod.ts";
import { bucketStore } from "../support/bucket-store.ts";
import { run, sh } from "../support/mount.ts";
import { emulator, env, local, mount, mountBeforeEach, python, why } from "../support/mounted.ts";

mountBeforeEach("archives", ["--storage-class", "*.cold=GLACIER"]);

/** As another client does it. */
async function put(key: string, bytes: Buffer, storageClass: string): Promise<void> {
  using store = bucketStore(emulator);
  const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
  const body = { kind: "bytes", bytes } as const;
  await store.put({ key: toKey(key), body, sha256, metadata: {}, storageClass });
}

describe.skipIf(why !== undefined)("archives", () => {
  test("S7.21 an archived file is listed, refused with a line that says what to do, restored, and read", async () => {
    const content = randomBytes(300_000);
    await put("models/old.pt", content, "GLACIER");
    const file = join(mount.dir, "models/old.pt");
    expect(await sh(`ls -l ${mount.dir}/models`)).toMatch(/ 300000 .* old\.pt/);
    const refused = await run("cat", [file]);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toMatch(/Permission denied/);
    expect(await mount.log()).toMatch(
      /models\/old.pt is archived and cannot be read: 'kodomount restore PATH'/,
    );
    expect((await run("mv", [file, `${file}.new`])).stderr).toMatch(/Permission denied/);
    const { code, stdout } = await mount.command(["restore", file]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/is being restored\n.*can be read until/s);
    expect(await sh(`sha256sum < ${file}`)).toContain(
      createHash("sha256").update(content).digest("hex"),
    );
    expect((await mount.status()).pending).toEqual([]);
  });

  test("S7.24 what is saved under a name of the pattern is archived, also by a rename", async () => {
    await sh(
      `echo a > $DIR/a.cold; echo b > $DIR/b; mv $DIR/b $DIR/b.cold; echo c > $DIR/c`,
      env(),
    );
    const { code, stderr } = await mount.command(["wait", mount.dir]);
    expect(stderr + code).toBe("0");
    expect(
      await python(`
for name in ["a.cold", "b.cold", "c"]:
    print(*[os.getxattr(d + "/" + name, "user.kodomount." + each).decode() for each in ["storage_class", "state"]])
`),
    ).toBe("GLACIER archived\nGLACIER archived\nSTANDARD stored\n");
  });

  test("S7.23 rsync -aX and cp -a copy the attributes that people have set, and not what the mount tells", async () => {
    await sh(`mkdir $DIR/from && echo content > $DIR/from/a`, env());
    expect(
      await python(`
f = d + "/from/a"
os.setxattr(f, "user.note", b"mine")
print(os.listxattr(f), os.getxattr(f, "user.kodomount.key").decode())
try: os.setxattr(f, "user.kodomount.state", b"x")
except OSError as e: print(e.errno)
`),
    ).toBe("['user.note'] from/a\n1\n");
    await sh(
      `rsync -aX $DIR/from/ $DIR/to && cp -a $DIR/from/a $DIR/copy && cp -a $DIR/from/a ${local}/a`,
      env(),
    );
    expect(
      await python(`
for f in [d + "/to/a", d + "/copy"]:
    print(os.listxattr(f), os.getxattr(f, "user.note").decode(), os.getxattr(f, "user.kodomount.key").decode())
`),
    ).toBe("['user.note'] mine to/a\n['user.note'] mine copy\n");
  });
});
