// System calls on files beyond open, read, write and close, as programs make them, with the kernel between.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { emulator, mount, mountAgain, mountBeforeEach, python, why } from "../support/mounted.ts";

mountBeforeEach("system calls on files");

/** fallocate(2) with a mode, which Python's `os` does not have. */
const FALLOCATE = `
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def fallocate(f, mode, offset, length):
    if libc.fallocate(f, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")
def refused(number, call, *args):
    try: call(*args)
    except OSError as e: assert e.errno == number, e
    else: raise AssertionError("not refused")
`;

describe.skipIf(why !== undefined)("system calls", () => {
  test("S1.5 fallocate: extends, punches holes, zeros ranges; holes are found by whole parts", async () => {
    await python(`${FALLOCATE}
MIB = 1024 * 1024
with open(d + "/a", "wb") as f: f.write(b"x" * 40 * MIB)
f = os.open(d + "/a", os.O_RDWR)
fallocate(f, 3, 10 * MIB, 20 * MIB)
assert os.fstat(f).st_size == 40 * MIB
assert os.pread(f, 3, 10 * MIB - 1) == b"x\\0\\0" and os.pread(f, 3, 30 * MIB - 1) == b"\\0xx"
assert os.lseek(f, 0, os.SEEK_HOLE) == 16 * MIB and os.lseek(f, 17 * MIB, os.SEEK_DATA) == 24 * MIB
assert os.lseek(f, 30 * MIB, os.SEEK_HOLE) == 40 * MIB
refused(errno.ENXIO, os.lseek, f, 40 * MIB, os.SEEK_DATA)
fallocate(f, 17, 39 * MIB, 5 * MIB)
assert os.fstat(f).st_size == 40 * MIB and os.pread(f, 2, 39 * MIB) == b"\\0\\0"
fallocate(f, 16, 39 * MIB, 2 * MIB)
assert os.fstat(f).st_size == 41 * MIB
fallocate(f, 1, 0, 100 * MIB)
os.posix_fallocate(f, 0, 42 * MIB)
assert os.fstat(f).st_size == 42 * MIB
refused(errno.EOPNOTSUPP, fallocate, f, 8, 0, 8 * MIB)
os.close(f)
`);
    await mountAgain();
    const content = await readFile(join(mount.dir, "a"));
    const expected = Buffer.alloc(42 << 20);
    expected.fill("x", 0, 10 << 20).fill("x", 30 << 20, 39 << 20);
    expect(content.equals(expected)).toBe(true);
  });

  test("S1.6 O_TMPFILE: nothing of it is left, unless linkat gives it its name; other links are refused", async () => {
    await python(`${FALLOCATE}
def link(f, path):
    AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
    if libc.linkat(AT_FDCWD, b"/proc/self/fd/%d" % f, AT_FDCWD, path.encode(), AT_SYMLINK_FOLLOW) != 0:
        raise OSError(ctypes.get_errno(), "linkat")
f = os.open(d, os.O_TMPFILE | os.O_RDWR, 0o640)
assert os.fstat(f).st_nlink == 0 and os.listdir(d) == []
os.write(f, b"never seen")
assert os.pread(f, 5, 0) == b"never"
os.close(f)
f = os.open(d, os.O_TMPFILE | os.O_RDWR, 0o640)
os.write(f, b"t" * 20_000_000)
os.fsync(f)
open(d + "/taken", "w").close()
refused(errno.EEXIST, link, f, d + "/taken")
link(f, d + "/named")
assert os.stat(d + "/named").st_nlink == 1 and os.stat(d + "/named").st_mode == 0o100640
refused(errno.EPERM, os.link, d + "/named", d + "/other")
os.write(f, b"end")
os.close(f)
f = os.open(d, os.O_TMPFILE | os.O_WRONLY | os.O_EXCL)
refused(errno.ENOENT, link, f, d + "/never")
os.close(f)
assert sorted(os.listdir(d)) == ["named", "taken"]
`);
    await mountAgain();
    const content = await readFile(join(mount.dir, "named"));
    expect(content.length).toBe(20_000_003);
    expect(content.subarray(19_999_999).toString()).toBe("tend");
    expect((await readdir(mount.dir)).sort()).toEqual(["named", "taken"]);
  });

  test("S1.7 a pipe and a socket do what they do on a local disk, and are gone with the mount", async () => {
    await python(`${FALLOCATE}
import socket, stat, threading, time
os.mkfifo(d + "/pipe", 0o640)
assert stat.S_ISFIFO(os.stat(d + "/pipe").st_mode)
writer = threading.Thread(target=lambda: open(d + "/pipe", "w").write("through the pipe"))
writer.start()
assert open(d + "/pipe").read() == "through the pipe"
writer.join()
server = socket.socket(socket.AF_UNIX)
server.bind(d + "/socket")
server.listen()
client = socket.socket(socket.AF_UNIX)
client.connect(d + "/socket")
client.sendall(b"hello")
assert server.accept()[0].recv(5) == b"hello"
assert {e.name: (stat.S_ISFIFO(e.stat().st_mode), e.is_file()) for e in os.scandir(d)} == {"pipe": (True, False), "socket": (False, False)}
os.rename(d + "/socket", d + "/moved")
client = socket.socket(socket.AF_UNIX)
client.connect(d + "/moved")
reader = os.open(d + "/pipe", os.O_RDONLY | os.O_NONBLOCK)
os.unlink(d + "/pipe")
assert os.fstat(reader).st_nlink == 0 and os.listdir(d) == ["moved"]
refused(errno.EPERM, os.mknod, d + "/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
`);
    await mountAgain();
    expect(await readdir(mount.dir)).toEqual([]);
    expect(emulator.objects("bucket")).toEqual([]);
  });

  test("S2.12 cp within the mount moves no bytes; of small and dirty files it copies by reading", async () => {
    await python(`
import subprocess
content = os.urandom(40_000_000)
def put(name, bytes):
    with open(d + name, "wb") as f: f.write(bytes)
put("/large", content)
put("/small", content[:5000])
subprocess.run(["cp", d + "/large", d + "/copy"], check=True)
subprocess.run(["cp", "-p", d + "/small", d + "/little"], check=True)
f = os.open(d + "/dirty", os.O_RDWR | os.O_CREAT)
os.write(f, content)
subprocess.run(["cp", d + "/dirty", d + "/clean"], check=True)
os.close(f)
assert open(d + "/copy", "rb").read(10) == content[:10]
`);
    const kinds = emulator
      .requests()
      .filter(({ key, kind }) => key === "copy" || (key === "large" && kind === "GetObject"))
      .map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "UploadPartCopy")).toHaveLength(5);
    expect(kinds.filter((kind) => kind === "UploadPart")).toEqual([]);
    await mountAgain();
    await python(`
def get(name): return open(d + name, "rb").read()
content = get("/large")
assert len(content) == 40_000_000
assert get("/copy") == content and get("/clean") == content and get("/dirty") == content
assert get("/little") == content[:5000]
`);
  });

  test("O_DIRECT, also unaligned, and pieces that are no multiple of anything", async () => {
    await python(`
import mmap
buffer = mmap.mmap(-1, 1 << 20); buffer.write(b"y" * (1 << 20))
f = os.open(d + "/a", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
for i in range(10): assert os.pwrite(f, buffer, i << 20) == 1 << 20
assert os.pwrite(f, b"odd", (10 << 20) + 1) == 3
assert os.pread(f, 5, (10 << 20) - 1) == b"y\\0odd"
os.close(f)
f = os.open(d + "/a", os.O_RDONLY | os.O_DIRECT)
assert os.pread(f, 7, 12345) == b"y" * 7
os.close(f)
`);
    await mountAgain();
    const content = await readFile(join(mount.dir, "a"));
    expect(content.length).toBe((10 << 20) + 4);
    expect(content.subarray((10 << 20) + 1).toString()).toBe("odd");
  });

  test("a shared mapping that is written, also after the descriptor was closed", async () => {
    await python(`
import mmap
with open(d + "/a", "wb") as f: f.write(b"a" * 20_000_000)
f = os.open(d + "/a", os.O_RDWR)
m = mmap.mmap(f, 20_000_000)
m[5:10] = b"early"
m.flush()
m[9_000_000:9_000_004] = b"late"
os.close(f)
m[19_000_000:19_000_006] = b"latest"
assert open(d + "/a", "rb").read(12) == b"aaaaaearlyaa"
m.close()
`);
    await mountAgain();
    const content = await readFile(join(mount.dir, "a"));
    expect(content.length).toBe(20_000_000);
    expect(content.subarray(3, 12).toString()).toBe("aaearlyaa");
    expect(content.subarray(8_999_999, 9_000_005).toString()).toBe("alatea");
    expect(content.subarray(19_000_000, 19_000_006).toString()).toBe("latest");
  });

  test("flock and POSIX locks between two processes, given up when their holder ends", async () => {
    await python(`
import fcntl, subprocess
with open(d + "/lock", "w") as f: f.write("x")
other = """
import fcntl, sys
f = open(sys.argv[1], "r+")
try: getattr(fcntl, sys.argv[2])(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError: print("held")
else: print("free")
"""
def ask(kind): return subprocess.check_output([sys.executable, "-c", other, d + "/lock", kind], text=True).strip()
for kind in ["flock", "lockf"]:
    f = open(d + "/lock", "r+")
    getattr(fcntl, kind)(f, fcntl.LOCK_EX)
    assert ask(kind) == "held", kind
    f.close()
    assert ask(kind) == "free", kind
`);
  });

  test("statfs has room and names up to 255 bytes; directories are synced; syncfs and sync return", async () => {
    await python(`
s = os.statvfs(d)
assert s.f_bavail * s.f_frsize > 2 ** 40 and s.f_namemax == 255
os.mkdir(d + "/sub")
f = os.open(d + "/sub", os.O_RDONLY | os.O_DIRECTORY)
os.fsync(f)
os.close(f)
os.sync()
`);
  });
});
