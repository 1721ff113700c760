// Real programs on a real mount of the embedded store: what they wrote is compared after unmount, with this machine's
// state thrown away, through a new mount.

import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run, sh, sha, start, until } from "../support/mount.ts";
import {
  emulator,
  env,
  local,
  mount,
  mountAgain,
  mountBeforeEach,
  why,
} from "../support/mounted.ts";

mountBeforeEach("mounts with real programs");

/** Same names, sizes, modes, link targets and content. */
async function expectSameTree(a: string, b: string): Promise<void> {
  const { stdout, code } = await run("diff", ["-r", "--no-dereference", a, b]);
  expect(stdout + code).toBe("0");
  const list = (dir: string): Promise<string> =>
    sh(`cd ${dir} && find . -printf '%P %y %m %l\\n' | sort | grep -v '^ '`);
  expect(await list(b)).toBe(await list(a));
}

describe.skipIf(why !== undefined)("programs", () => {
  test("cp, cat and ls of small and large files", async () => {
    await mkdir(join(local, "src"));
    await sh(
      "head -c 1000 /dev/urandom > $SRC/small; head -c 30000000 /dev/urandom > $SRC/large; : > $SRC/empty; cp $SRC/* $DIR/",
      env(),
    );
    expect((await sh("ls $DIR", env())).split("\n")).toEqual(["empty", "large", "small", ""]);
    await mountAgain();
    for (const name of ["small", "large", "empty"])
      expect(await sha(join(mount.dir, name))).toBe(await sha(join(local, "src", name)));
  });

  test("cp -a keeps a tree with modes, links and times of small files; mv moves it back out", async () => {
    await sh(
      "mkdir -p $SRC/d/e && cd $SRC && echo a > d/a && echo b > d/e/b && chmod 600 d/a && chmod 755 d/e/b && ln -s e/b d/link && touch -d '2020-01-02 03:04:05.678' d/a d/e/b && cp -a $SRC/d $DIR/",
      env(),
    );
    await mountAgain();
    await expectSameTree(join(local, "src/d"), join(mount.dir, "d"));
    expect((await stat(join(mount.dir, "d/a"))).mtimeMs).toBe(
      (await stat(join(local, "src/d/a"))).mtimeMs,
    );
    await sh("mv $DIR/d $SRC/moved", env());
    expect(await sh("cat $SRC/moved/e/b; ls -A $DIR", env())).toBe("b\n");
  });

  test("mv within the mount, of files and of a directory", async () => {
    await sh(
      "mkdir $DIR/a && echo 1 > $DIR/a/1 && head -c 20000000 /dev/zero > $DIR/a/2 && mv $DIR/a/1 $DIR/a/one && mv $DIR/a $DIR/b",
      env(),
    );
    await mountAgain();
    expect(await sh("cd $DIR && find . | sort && cat b/one && stat -c %s b/2", env())).toBe(
      ".\n./b\n./b/2\n./b/one\n1\n20000000\n",
    );
  });

  test("dd with seek, notrunc and fsync", async () => {
    await mkdir(join(local, "src"));
    const lines =
      "dd if=/dev/zero of=$T/x bs=1M count=20 status=none; printf tail | dd of=$T/x bs=1 seek=20971600 conv=notrunc status=none; printf mid | dd of=$T/x bs=1 seek=9437184 conv=notrunc,fsync status=none";
    await sh(lines, { ...env(), T: mount.dir });
    await sh(lines, { ...env(), T: join(local, "src") });
    await mountAgain();
    expect(await sha(join(mount.dir, "x"))).toBe(await sha(join(local, "src/x")));
  });

  test("tar x of a tree", async () => {
    await sh(
      "mkdir -p $SRC/t && cd $SRC/t && for i in $(seq 1 30); do mkdir -p d$((i%3)); echo $i > d$((i%3))/f$i; done && ln -s f3 d0/link && tar cf $SRC/t.tar -C $SRC t && tar xf $SRC/t.tar -C $DIR",
      env(),
    );
    await mountAgain();
    await expectSameTree(join(local, "src/t"), join(mount.dir, "t"));
  });

  test("shell loops and appends", async () => {
    await sh(
      "for i in $(seq 1 20); do echo line $i >> $DIR/log; done; for i in 1 2 3; do echo $i; done > $DIR/loop; ( echo a; echo b ) > $DIR/sub",
      env(),
    );
    await mountAgain();
    expect(await sh("wc -l < $DIR/log; cat $DIR/loop $DIR/sub", env())).toBe("20\n1\n2\n3\na\nb\n");
  });

  test("rsync --inplace, twice: the second changes nothing", async () => {
    await sh(
      "mkdir -p $SRC/r && head -c 20000000 /dev/urandom > $SRC/r/big && echo x > $SRC/r/small && rsync -rt --inplace $SRC/r/ $DIR/r/",
      env(),
    );
    await mountAgain();
    expect(await sha(join(mount.dir, "r/big"))).toBe(await sha(join(local, "src/r/big")));
    await sh(
      "printf patch | dd of=$SRC/r/big bs=1 seek=9000000 conv=notrunc status=none; rsync -rt --inplace --no-whole-file $SRC/r/ $DIR/r/",
      env(),
    );
    await mountAgain();
    expect(await sha(join(mount.dir, "r/big"))).toBe(await sha(join(local, "src/r/big")));
  });

  test("python: write, seek back, fsync, read by mmap, truncate", async () => {
    const program = `
import mmap, os, sys
d = sys.argv[1]
with open(d + "/p", "wb+") as f:
    f.write(b"header--")
    f.write(b"x" * 12_000_000)
    f.seek(0); f.write(b"HEADER!!")
    f.flush(); os.fsync(f.fileno())
    f.seek(0); assert f.read(8) == b"HEADER!!"
with open(d + "/p", "rb") as f:
    m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    assert m[:8] == b"HEADER!!" and m[-1:] == b"x" and len(m) == 12_000_008
os.truncate(d + "/p", 9_000_000)
assert os.stat(d + "/p").st_size == 9_000_000
`;
    await mkdir(join(local, "src"));
    await writeFile(join(local, "src/p.py"), program);
    const { code, stderr } = await run("python3", [join(local, "src/p.py"), mount.dir]);
    expect(stderr + code).toBe("0");
    await mountAgain();
    const content = await readFile(join(mount.dir, "p"));
    expect(content.length).toBe(9_000_000);
    expect(content.subarray(0, 9).toString()).toBe("HEADER!!x");
  });

  test("a writer with torch.save's pattern: sequential, odd pieces, one close", async () => {
    const program = `
import os, sys
rng = open("/dev/urandom", "rb")
with open(sys.argv[1] + "/model.pt", "wb") as f, open(sys.argv[2], "wb") as g:
    for n in [30, 8, 1 << 20, 1 << 20, 17, 64, 1 << 20] * 6 + [300, 22]:
        b = rng.read(n); f.write(b); g.write(b)
`;
    await mkdir(join(local, "src"));
    await writeFile(join(local, "src/t.py"), program);
    const { code, stderr } = await run("python3", [
      join(local, "src/t.py"),
      mount.dir,
      join(local, "src/model.pt"),
    ]);
    expect(stderr + code).toBe("0");
    const sent = emulator
      .requests()
      .filter(
        ({ kind, key, status }) =>
          key === "model.pt" && status >= 200 && status < 300 && kind === "UploadPart",
      );
    expect(sent.length).toBe(new Set(sent.map(({ partNumber }) => partNumber)).size);
    await mountAgain();
    expect(await sha(join(mount.dir, "model.pt"))).toBe(await sha(join(local, "src/model.pt")));
  });

  test("S4.5 a signal that ends no program fails no call", async () => {
    // By libc itself: Python would try again.
    const program = `
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
d = sys.argv[1].encode()
def call(name, *args):
    result = getattr(libc, name)(*args)
    assert result >= 0, (name, os.strerror(ctypes.get_errno()))
    return result
for i in range(40):
    a, b = d + b"/a%d" % i, d + b"/b%d" % i
    fd = call("open", a, os.O_CREAT | os.O_WRONLY, 0o644)
    call("write", fd, b"x", 1)
    call("close", fd)
    call("rename", a, b)
    if i % 2: call("unlink", b)
signal.setitimer(signal.ITIMER_REAL, 0)
`;
    await mkdir(join(local, "src"));
    await writeFile(join(local, "src/s.py"), program);
    const { code, stderr } = await run("python3", [join(local, "src/s.py"), mount.dir]);
    expect(stderr + code).toBe("0");
    await mountAgain();
    expect((await sh("ls $DIR | wc -l", env())).trim()).toBe("20");
  });

  test("S1.3 names and kinds of files that cannot be: too long, not UTF-8, devices, hard links", async () => {
    const long = "x".repeat(256);
    expect((await run("bash", ["-c", `echo a > $DIR/${long}`], { env: env() })).stderr).toContain(
      "File name too long",
    );
    expect((await run("bash", ["-c", "echo a > $DIR/$'\\xff'"], { env: env() })).stderr).toMatch(
      /Invalid or incomplete|Illegal byte/,
    );
    expect(
      (await run("bash", ["-c", "echo a > $DIR/a; ln $DIR/a $DIR/b"], { env: env() })).stderr,
    ).toContain("Operation not permitted");
    expect((await run("bash", ["-c", "mknod $DIR/null c 1 3"], { env: env() })).stderr).toContain(
      "Operation not permitted",
    );
    const deep = `$DIR/${Array(6).fill("d".repeat(200)).join("/")}`;
    expect((await run("bash", ["-c", `mkdir -p ${deep}`], { env: env() })).stderr).toContain(
      "File name too long",
    );
    expect(await sh("cat $DIR/a", env())).toBe("a\n");
  });
});

describe.skipIf(why !== undefined)("writers that die", () => {
  for (const [name, line] of [
    ["cp", "cp $FROM $DIR/big"],
    ["dd", "dd if=$FROM of=$DIR/big bs=1M status=none"],
    [
      "python",
      `python3 -c 'import os,shutil; shutil.copyfileobj(open(os.environ["FROM"],"rb"), open(os.environ["DIR"]+"/big","wb"))'`,
    ],
  ] as const)
    test(`S4.1 SIGKILL of ${name} at half: nothing under its name, and the next cp sends only what is missing`, async () => {
      await sh("mkdir -p $SRC && head -c 100000000 /dev/urandom > $SRC/big", env());
      // The writer is held at half by a source that stops there.
      await sh("mkfifo $SRC/pipe", env());
      const feeder = start("bash -c 'head -c 50000000 $SRC/big; sleep 100' > $SRC/pipe", env());
      const writer = start(line, { ...env(), FROM: join(local, "src/pipe") });
      const parts = (): number =>
        emulator
          .requests()
          .filter(({ kind, status }) => kind === "UploadPart" && status >= 200 && status < 300)
          .length;
      await until(
        "four parts are acknowledged",
        async () => (await mount.status()).pending[0]?.partsAcknowledged === 4,
      );
      writer.kill("SIGKILL");
      feeder.kill("SIGKILL");
      await writer.ended;
      await until("it is interrupted", async () =>
        (await mount.status()).pending.some(({ state }) => state === "interrupted"),
      );
      expect(await sh("ls -A $DIR", env())).toBe("");
      expect(emulator.objects("bucket")).toEqual([]);
      const before = parts();
      await sh("cp $SRC/big $DIR/big", env());
      expect(parts() - before).toBeLessThanOrEqual(12 - 4);
      expect(await sha(join(mount.dir, "big"))).toBe(await sha(join(local, "src/big")));
    });
});
