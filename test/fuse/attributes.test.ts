// Attributes through the kernel: what programs set on files and directories of the real mount, and read again there.

import { describe, expect, test } from "vitest";
import { run, sh } from "../support/mount.ts";
import { emulator, env, mount, mountBeforeEach, why } from "../support/mounted.ts";

mountBeforeEach("attributes on a mount");

async function again(): Promise<void> {
  const { code, stderr } = await mount.unmount();
  expect(stderr + code).toBe("0");
  await mount.start();
}

async function python(script: string): Promise<string> {
  const { code, stdout, stderr } = await run("python3", ["-c", script], { cwd: mount.dir });
  if (code !== 0) throw new Error(`it ended with ${code}: ${stderr}`);
  return stdout.trimEnd();
}

const TREE =
  "find . -printf '%P %y %m %U %G %T@ %l\\n' | sed 's/\\([0-9]\\{6\\}\\)[0-9]* /\\1 /' | sort";

describe.skipIf(why !== undefined)("attributes on a mount", () => {
  test("S6.6 xattrs are set, listed, read and removed, with Linux's errors, and stay over an unmount", async () => {
    const errors = await python(`
import errno, os
def attempt(what, *args, **kw):
    try: return what(*args, **kw)
    except OSError as e: return errno.errorcode[e.errno]
open("f", "w").write("content"); os.mkdir("d"); os.symlink("f", "l")
for n in "fd": os.setxattr(n, "user.note", n.encode())
print(attempt(os.setxattr, "f", "user.note", b"x", os.XATTR_CREATE),
      attempt(os.setxattr, "f", "user.none", b"x", os.XATTR_REPLACE),
      attempt(os.getxattr, "f", "user.none"), attempt(os.removexattr, "f", "user.none"),
      attempt(os.setxattr, "l", "user.x", b"x", follow_symlinks=False),
      attempt(os.setxattr, "f", "trusted.x", b"x"), attempt(os.getxattr, "f", "system.posix_acl_access"),
      attempt(os.setxattr, "f", "user.big", b"x" * 65537), attempt(os.setxattr, "f", "user.x", b"x" * 65536),
      attempt(os.setxattr, "f", "user.y", b"x" * 65536), len(os.getxattr("f", "user.x")))
os.removexattr("f", "user.x")
`);
    expect(errors).toBe(
      "EEXIST ENODATA ENODATA ENODATA EPERM ENOTSUP ENOTSUP E2BIG None ENOSPC 65536",
    );
    await again();
    const out = await python(`
import os
for n in "fdl": print(os.listxattr(n, follow_symlinks=False), end=" ")
print(os.getxattr("f", "user.note"), os.getxattr("d", "user.note"))
`);
    expect(out).toBe("['user.note'] ['user.note'] [] b'f' b'd'");
  });

  test("S6.1 cp -a and rsync -aAX of a tree with xattrs, and what comes after: a second rsync transfers nothing", async () => {
    await sh(
      `mkdir -p $SRC/d/e && cd $SRC && echo a > d/a && head -c 20000000 /dev/urandom > d/e/b && ln -s a d/l &&
       chmod 600 d/a && chmod 2750 d/e && chown 12:34 d/a d/e && python3 -c "import os; [os.setxattr(n, 'user.n', b'v') for n in ('d/a', 'd/e/b', 'd/e')]" &&
       touch -d '2001-02-03 04:05:06.789' d/a d/e/b d/e && touch -h -d '1969-01-01 UTC' d/l && touch -d '2040-01-01 UTC' d`,
      env(),
    );
    expect(await sh("cp -a $SRC/d $DIR/c 2>&1; rsync -aAX $SRC/d/ $DIR/r/ 2>&1", env())).toBe("");
    await again();
    const wanted = await sh(`cd $SRC/d && ${TREE}`, env());
    for (const copy of ["c", "r"]) {
      expect(await sh(`cd $DIR/${copy} && ${TREE}`, env())).toBe(wanted);
      expect(await sh(`rsync -aAXi $SRC/d/ $DIR/${copy}/ 2>&1`, env())).toBe("");
    }
    expect(await sh("ls -lR $DIR 2>&1 >/dev/null", env())).toBe("");
    // rsync's are for its renames.
    const copied = emulator.requests().filter(({ kind }) => kind === "CopyObject");
    expect(copied.filter(({ key }) => key?.startsWith("c/"))).toEqual([]);
  });

  test("S6.1 any time and any owner can be set, by who may", async () => {
    const out = await python(`
import os
open("f", "w").close()
os.chown("f", 4294967294, 4294967294)
for ns in (-1, 1234567890123456789, -62135596800 * 10**9, 2**33 * 10**9, 2**62):
    os.utime("f", ns=(ns, ns))
    got = os.stat("f").st_mtime_ns
    print(abs(got - ns) <= 2**10 * max(1, abs(ns) // 2**60), end=" ")
print(os.stat("f").st_uid, os.stat("f").st_gid)
`);
    expect(out).toBe("True True True True True 4294967294 4294967294");
    expect(await sh("touch -d @9000000000000000 $DIR/f; stat -c %n $DIR/f", env())).toContain("f");
  });
});
