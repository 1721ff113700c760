// The kernel's protocol with the kernel: a filesystem in memory, mounted by a child process, used by real programs.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CANNOT_MOUNT, MemoryServer } from "../support/memory-server.ts";

if (CANNOT_MOUNT !== undefined)
  console.log(`test/fuse/transport.test.ts is skipped: ${CANNOT_MOUNT}`);

let server: MemoryServer;

beforeEach(async () => {
  server = await MemoryServer.create();
});

afterEach(() => server.stop());

describe.skipIf(CANNOT_MOUNT !== undefined)("programs", () => {
  beforeEach(() => server.start());

  it("cp, cat, dd, ls, mv, ln -s and truncate do what they do on a disk", async () => {
    await server.sh(`head -c 5000000 /dev/urandom > ${server.root}/source`);
    await server.sh(`cp ${server.root}/source copy && cmp ${server.root}/source copy`);
    await server.sh("cat copy > again && cmp copy again && mv again moved && cmp copy moved");
    await server.sh("cp moved within && cmp copy within"); // copy_file_range, which falls back
    await server.sh(`dd if=${server.root}/source of=dd bs=1M 2>&1 && cmp ${server.root}/source dd`);
    await server.sh("mkdir -p d/e && mv dd d/e/ && ln -s e/dd d/link && cmp d/link copy");
    await server.sh("truncate -s 10 moved && head -c 10 copy | cmp - moved");
    await server.sh(
      `truncate -s 20 moved && (head -c 10 copy; head -c 10 /dev/zero) | cmp - moved`,
    );
    await server.sh("rm -r d within && ! rmdir copy 2>/dev/null");
    expect((await server.sh("ls -A")).split("\n")).toEqual(["copy", "moved", ""]);
    expect(await server.sh("stat -c '%s %b %o %F' copy")).toBe(
      "5000000 9766 1048576 regular file\n",
    );
  });

  it("Python writes, seeks, reads, syncs and maps", async () => {
    const out = await server.python(`
import mmap, os
with open("f", "w+b") as f:
    f.write(b"0123456789" * 100)
    f.seek(5); f.write(b"ABC"); f.seek(0)
    print(f.read(10))
    f.flush(); os.fsync(f.fileno()); os.fdatasync(f.fileno())
    with mmap.mmap(f.fileno(), 0) as m:
        m[0:2] = b"MM"
        m.flush()
        print(m[0:10])
with open("f", "rb") as f:
    with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        print(m[0:10], len(m))
with open("f", "ab") as f:
    f.write(b"end")
print(open("f", "rb").read()[-5:], os.stat("f").st_size)
`);
    expect(out.split("\n")).toEqual([
      "b'01234ABC89'",
      "b'MM234ABC89'",
      "b'MM234ABC89' 1000",
      "b'89end' 1003",
      "",
    ]);
  });

  it("holes and data are found, and what cannot be done is refused", async () => {
    const out = await server.python(`
import errno, os
f = os.open("f", os.O_RDWR | os.O_CREAT)
os.write(f, b"x" * 100)
print(os.lseek(f, 10, os.SEEK_DATA), os.lseek(f, 10, os.SEEK_HOLE))
def attempt(what, *args):
    try: what(*args); print("done")
    except OSError as e: print(errno.errorcode[e.errno])
attempt(os.lseek, f, 100, os.SEEK_DATA)
attempt(os.link, "f", "g")
attempt(os.setxattr, "f", "user.a", b"1")
attempt(os.mkfifo, "p")
attempt(os.posix_fallocate, f, 0, 5000)
print(os.fstat(f).st_size)
os.mkdir("dir")
attempt(os.unlink, "missing")
open("dir/a", "w").close()
attempt(os.rmdir, "dir")
attempt(os.open, "dir/a", os.O_CREAT | os.O_EXCL)
attempt(os.open, ".", os.O_TMPFILE | os.O_RDWR)
attempt(os.truncate, "f", 2**62)
`);
    expect(out.trimEnd().split("\n")).toEqual([
      ...["10 100", "ENXIO", "EPERM", "ENOTSUP", "EPERM", "done", "5000"],
      ...["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTSUP", "EFBIG"],
    ]);
  });

  it("renames without replacing, and exchanges", async () => {
    const out = await server.python(`
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for n in "ab": open(n, "w").write(n)
def rename(flags): return libc.renameat2(-100, b"a", -100, b"b", flags) and os.strerror(ctypes.get_errno())
print(rename(1), rename(4), rename(2), open("a").read(), open("b").read())
`);
    expect(out).toBe("File exists Invalid argument 0 b a\n");
  });

  it("keeps modes, owners and times", async () => {
    await server.sh(
      "echo a > f && chmod 640 f && chown 12:34 f && touch -d '1969-12-31 23:59:58.5 UTC' f",
    );
    expect(await server.sh("stat -c '%a %u %g %.3Y' f")).toBe("640 12 34 -1.500\n");
    await server.sh("touch -d '2020-01-02 03:04:05.123456 UTC' f && cp -p f g");
    expect(await server.sh("stat -c '%a %u %g %.6Y' g")).toBe("640 12 34 1577934245.123456\n");
  });

  it("lists large directories whole and once", async () => {
    await server.python(`
import os
for i in range(6000): os.mkdir("%0200d" % i)
`); // more than the 1 MiB that the kernel asks for at once
    const names = (await server.sh("ls -U")).trimEnd().split("\n");
    expect([names.length, new Set(names).size]).toEqual([6000, 6000]);
  });

  it("runs a script and a program from the mount", async () => {
    await server.sh(
      "printf '#!/bin/sh\\necho ran $1\\n' > script && chmod +x script && cp /bin/true prog",
    );
    expect(await server.sh("./script well && ./prog")).toBe("ran well\n");
  });

  it("takes 8 writers at once", async () => {
    await server.sh(`head -c 3000000 /dev/urandom > ${server.root}/source`);
    await server.sh(`for i in 1 2 3 4 5 6 7 8; do cp ${server.root}/source w$i & done; wait`);
    await server.sh(`for i in 1 2 3 4 5 6 7 8; do cmp ${server.root}/source w$i; done`);
  });

  it("keeps an unlinked file for who has it open", async () => {
    const out = await server.python(`
import os
f = open("f", "w+b"); f.write(b"still"); f.flush(); os.unlink("f"); f.seek(0)
print(f.read(), os.listdir("."), os.fstat(f.fileno()).st_nlink)
`);
    expect(out).toBe("b'still' [] 0\n");
  });
});

describe.skipIf(CANNOT_MOUNT !== undefined)("waiting writes", () => {
  const SCRIPT = `
import threading, os
def write(i):
    f = os.open("stall%d" % i, os.O_CREAT | os.O_WRONLY)
    os.write(f, b"x" * (1 << 20))
threads = [threading.Thread(target=write, args=(i,)) for i in range(150)]
for t in threads: t.start()
print("ready")
for t in threads: t.join()
print("done")
`;

  it("do not stop anything else, however many there are, and all are done in the end", async () => {
    await server.start();
    const writer = await server.startPython(SCRIPT);
    await server.next("write", 126); // as many as there are buffers, but for the two of the readers
    expect(await server.sh("echo fine > other && cat other")).toBe("fine\n");
    server.ask({ kind: "go on" });
    expect(await writer.ended).toBe(0);
    expect(await server.sh("stat -c %s stall* | sort -u; ls stall* | wc -l")).toBe(
      "1048576\n150\n",
    );
  });

  it("end with their process", async () => {
    await server.start();
    const writer = await server.startPython(SCRIPT);
    await server.next("write", 126);
    writer.kill("SIGKILL");
    expect(await writer.ended).toBe("SIGKILL");
  });
});

describe.skipIf(CANNOT_MOUNT !== undefined)("other users", () => {
  const AS_USER = "setpriv --reuid 1000 --regid 1000 --clear-groups";

  it("are let in with allow_other, own what they make, and are held to the modes", async () => {
    await server.sh("chmod 755 ..");
    await server.start({ allowOther: true });
    await server.sh("mkdir -m 777 open && echo secret > secret && chmod 600 secret");
    await server.sh(`${AS_USER} sh -c 'echo a > open/f'`);
    expect(await server.sh("stat -c '%u %g' open/f")).toBe("1000 1000\n");
    await expect(server.sh(`${AS_USER} cat secret`)).rejects.toThrow("Permission denied");
  });

  it("clear setuid and setgid by writing", async () => {
    await server.sh("chmod 755 ..");
    await server.start({ allowOther: true });
    // With the size, as the kernel believes a mode that it has for a second.
    const mode = () => server.sh("stat -c '%a %s' f");
    await server.sh("echo a > f && chmod 6777 f && echo b >> f");
    expect(await mode()).toBe("6777 4\n"); // root may
    await server.sh(`${AS_USER} sh -c 'echo c >> f'`);
    expect(await mode()).toBe("777 6\n");
    await server.sh(`chmod 6777 f && ${AS_USER} sh -c ': > f'`);
    expect(await mode()).toBe("777 0\n");
  });

  it("S6.6 writing does not ask for an attribute each time, neither root's nor theirs", async () => {
    await server.sh("chmod 755 ..");
    await server.start({ allowOther: true });
    await server.sh("mkdir -m 777 open");
    const write = "dd if=/dev/zero bs=100 count=200 status=none";
    await server.sh(`${write} of=open/0 && ${AS_USER} ${write} of=open/1000`);
    expect(await server.sh("stat -c %s open/0 open/1000")).toBe("20000\n20000\n");
    const asked = server.all("getxattr").map(({ name }) => name);
    expect(asked.length).toBeLessThanOrEqual(4);
  });

  it("are kept out without it", async () => {
    await server.sh("chmod 755 ..");
    await server.start();
    await expect(server.sh(`${AS_USER} ls ${server.dir}`, "/")).rejects.toThrow(
      "Permission denied",
    );
  });
});
