// What programs ask for and cannot have: the errno that semantics.md says, and nothing lost.

import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { PROVIDERS, toKey, toSha256 } from "../../src/model/mod.ts";
import { createS3Store, type ObjectStore } from "../../src/store/mod.ts";
import { emulator, local, mount, mountBeforeEach, python, why } from "../support/mounted.ts";

mountBeforeEach("what is refused");

const REFUSED = `
import errno
def refused(number, call, *args):
    try: call(*args)
    except OSError as e: assert e.errno == number, e
    else: raise AssertionError("not refused")
`;

/** Another client of the bucket. */
function bucket(): ObjectStore {
  return createS3Store(
    {
      ...{ endpoint: emulator.endpoint, region: "test", bucket: "bucket", prefix: "" },
      ...{ provider: PROVIDERS.kodo, connections: 4 },
      credentials: { kind: "static", accessKeyId: "test", secretAccessKey: "testsecret" },
    },
    { clock: systemClock, log: silentLog },
  );
}

async function putForeign(key: string, bytes: Buffer): Promise<void> {
  const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
  const body = { kind: "bytes", bytes } as const;
  await bucket().put({ key: toKey(key), body, sha256, metadata: {} });
}

describe.skipIf(why !== undefined)("refused", () => {
  test("S5.12 nothing can be made, changed, renamed or removed at .kodomount", async () => {
    await python(`${REFUSED}
open(d + "/f", "w").write("content"); os.mkdir(d + "/e")
k = d + "/.kodomount"
for path in (k, k + "/x", k + "/interrupted", k + "/interrupted/x"):
    if not os.path.exists(path): refused(errno.EPERM, open, path, "w")
    if not os.path.exists(path): refused(errno.EPERM, os.mkfifo, path)
    refused(errno.EPERM if not os.path.exists(path) else errno.EEXIST, os.mkdir, path)
    if not os.path.isdir(path): refused(errno.EPERM, os.rename, d + "/f", path)
refused(errno.EPERM, os.symlink, "f", k + "/l")
refused(errno.EPERM, os.rename, d + "/e", k + "/e")
refused(errno.EPERM, os.rename, k, d + "/mine")
refused(errno.EPERM, os.rmdir, k + "/interrupted")
refused(errno.EPERM, os.chmod, k, 0o777)
refused(errno.EPERM, os.setxattr, k, "user.x", b"x")
os.mkdir(d + "/e/.kodomount")
assert open(d + "/f").read() == "content"
`);
  });

  test("regression: the root does not list .kodomount, also when somebody is in it, or a bucket has such a key", async () => {
    await putForeign(".kodomount/x", Buffer.from("theirs"));
    await python(`
open(d + "/f", "w").close()
assert os.listdir(d + "/.kodomount") == ["interrupted"] and os.listdir(d + "/.kodomount/interrupted") == []
assert os.listdir(d) == ["f"], os.listdir(d)
`);
  });

  test("S5.14 a directory is not renamed into itself, nor over one that is not empty, nor over a file", async () => {
    await python(`${REFUSED}
os.makedirs(d + "/a/b"); os.makedirs(d + "/full"); os.makedirs(d + "/empty")
for path in ("/a/b/f", "/full/f", "/file"): open(d + path, "w").write(path)
refused(errno.EINVAL, os.rename, d + "/a", d + "/a/b/c")
refused(errno.EINVAL, os.rename, d + "/a", d + "/a/x")
refused(errno.ENOTEMPTY, os.rename, d + "/a", d + "/full")
refused(errno.ENOTEMPTY, os.rename, d + "/full", d + "/a")
refused(errno.ENOTDIR, os.rename, d + "/a", d + "/file")
refused(errno.EISDIR, os.rename, d + "/file", d + "/empty")
os.rename(d + "/a", d + "/empty")
for path in ("/empty/b/f", "/full/f", "/file"): assert os.path.basename(open(d + path).read()) == os.path.basename(path)
assert sorted(os.listdir(d)) == ["empty", "file", "full"]
`);
  });

  test("S6.6 xattrs that are too large, too many, or of another namespace leave those that are there", async () => {
    await python(`${REFUSED}
f = d + "/f"
open(f, "w").write("content")
os.setxattr(f, "user.kept", b"k" * 60_000)
refused(errno.E2BIG, os.setxattr, f, "user.x", b"x" * 65_537)
refused(errno.ENOSPC, os.setxattr, f, "user.x", b"x" * 65_536)
refused(errno.ERANGE, os.setxattr, f, "user." + "n" * 251, b"x")
refused(errno.EOPNOTSUPP, os.setxattr, f, "security.x", b"x")
refused(errno.EOPNOTSUPP, os.setxattr, f, "trusted.x", b"x")
assert os.listxattr(f) == ["user.kept"] and os.getxattr(f, "user.kept") == b"k" * 60_000
`);
  });

  test("S2.13 an object that another client replaces while it is open to append: ESTALE, and both contents are kept", async () => {
    const large = Buffer.alloc(20_000_000, "l");
    await putForeign("large", large);
    await putForeign("small", Buffer.from("old"));
    const theirs = Buffer.from("written by another client");
    const append = `${REFUSED}
import time
def append(name, signal):
    f = os.open(d + "/" + name, os.O_WRONLY | os.O_APPEND)
    os.write(f, b"ours")
    open(signal, "w").close()
    while not os.path.exists(signal + ".done"): time.sleep(0.01)
    try:
        os.write(f, b" and more")
        os.fsync(f)
        os.close(f)
    except OSError as e: assert e.errno == errno.ESTALE, e
    else: raise AssertionError("not refused: " + name)
`;
    const signal = join(local, "signal");
    const done = python(`${append}append("large", ${JSON.stringify(signal)})`);
    await expect.poll(() => mount.status().then(({ pending }) => pending.length)).toBe(1);
    await putForeign("large", theirs);
    await writeFile(`${signal}.done`, "");
    await done;
    expect((await bucket().get({ key: toKey("large") })).bytes.equals(theirs)).toBe(true);
    expect((await mount.status()).pending).toMatchObject([{ path: "large", state: "parked" }]);
  });
});
