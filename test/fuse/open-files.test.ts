// Files that are open or mapped while their name goes, with the kernel between.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { emulator, mount, mountAgain, mountBeforeEach, python, why } from "../support/mounted.ts";

mountBeforeEach("files that are open while their name goes");

const PREPARE = `
import mmap
old = os.urandom(20_000_000)
with open(d + "/a", "wb") as f: f.write(old)
`;

describe.skipIf(why !== undefined)("S5.4 a file that is open", () => {
  test("is mapped while a new version is renamed over it, as safetensors does", async () => {
    await python(`${PREPARE}
fd = os.open(d + "/a", os.O_RDONLY)
m = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
os.close(fd)
with open(d + "/.tmpAbCdEf", "wb") as f:
    f.write(b"new" * 4_000_000)
    os.rename(d + "/.tmpAbCdEf", d + "/a")
assert m[:] == old
assert open(d + "/a", "rb").read() == b"new" * 4_000_000
`);
    await mountAgain();
    const content = await readFile(join(mount.dir, "a"));
    expect(content.equals(Buffer.alloc(12_000_000, "new"))).toBe(true);
  });

  test("is removed, read, written, cut, opened again by /proc, and leaves nothing", async () => {
    await python(`${PREPARE}
f = os.open(d + "/a", os.O_RDWR)
os.unlink(d + "/a")
assert os.listdir(d) == []
assert os.fstat(f).st_nlink == 0 and os.fstat(f).st_size == 20_000_000
os.pwrite(f, b"patched", 10_000_000)
assert os.pread(f, 9, 9_999_999) == old[9_999_999:10_000_000] + b"patched" + old[10_000_007:10_000_008]
g = os.open("/proc/self/fd/%d" % f, os.O_RDONLY)
os.close(f)
assert os.pread(g, 7, 10_000_000) == b"patched"
assert os.pread(g, 100, 0) == old[:100]
os.close(g)
with open(d + "/t", "wb+") as t:
    os.unlink(d + "/t")
    t.write(b"x" * 10_000_000); t.flush(); os.fsync(t.fileno())
    t.truncate(5); t.seek(0)
    assert t.read() == b"xxxxx" and os.fstat(t.fileno()).st_nlink == 0
`);
    await mountAgain();
    expect(emulator.objects("bucket")).toEqual([]);
  });
});
