// Many closes of one file, and many small files, by real programs on a real mount: content, requests, order.

import { describe, expect, test } from "vitest";
import { sh } from "../support/mount.ts";
import { emulator, env, mount, mountBeforeEach, why } from "../support/mounted.ts";

mountBeforeEach("many closes on a real mount");

/** How often each key was put, after everything that was closed is in the bucket. */
async function puts(): Promise<string[]> {
  const { code, stderr } = await mount.command(["wait", mount.dir]);
  expect(stderr + code).toBe("0");
  return emulator
    .requests()
    .filter(({ kind, status }) => kind === "PutObject" && status === 200)
    .map(({ key }) => key);
}

/** Runs it, and tells how many seconds it took and how often `key` was put. */
async function cost(line: string, key: string): Promise<{ seconds: number; count: number }> {
  const start = performance.now();
  await sh(line, env());
  const seconds = (performance.now() - start) / 1000;
  return { seconds, count: (await puts()).filter((put) => put === key).length };
}

/** A program with `path` in the mount; no single quotes in it. */
function python(program: string): string {
  return `python3 -c 'import os\npath = os.environ["DIR"] + "/file"${program}'`;
}

function content(name = "file"): Promise<string> {
  return sh(`cat $DIR/${name}`, { DIR: mount.dir });
}

describe.skipIf(why !== undefined)("S2.5 one commit", () => {
  test("of a group of programs whose output goes to one file", async () => {
    const { count } = await cost(
      "( echo a; cat /etc/hostname > /dev/null; echo b ) > $DIR/file",
      "file",
    );
    expect(await content()).toBe("a\nb\n");
    expect(count).toBe(1);
  });

  test("of tar through gzip", async () => {
    const { count } = await cost("tar c -C /etc passwd group | gzip > $DIR/file", "file");
    expect(await sh("gzip -dc $DIR/file | tar t", { DIR: mount.dir })).toBe("passwd\ngroup\n");
    expect(count).toBe(1);
  });

  test("of a file whose duplicates are closed after each write, as gguf and numpy do", async () => {
    const { count } = await cost(
      python(`
with open(path, "wb") as f:
    for i in range(50):
        f.write(b"tensor"); f.flush()
        os.close(os.dup(f.fileno()))
`),
      "file",
    );
    expect(await content()).toBe("tensor".repeat(50));
    expect(count).toBe(1);
  });

  test("also of what a child writes after its parent has closed", async () => {
    await cost(
      python(`
f = os.open(path, os.O_CREAT | os.O_WRONLY)
os.write(f, b"parent ")
r, w = os.pipe()
child = os.fork()
if child == 0:
    os.close(w); os.read(r, 1)
    os.write(f, b"child"); os._exit(0)
os.close(r); os.close(f); os.close(w)
os.waitpid(child, 0)
`),
      "file",
    );
    expect(await content()).toBe("parent child");
    const head = emulator.objects("bucket").find(({ key }) => key === "file");
    expect(head?.size).toBe("parent child".length);
  });
});

describe.skipIf(why !== undefined)("S2.10 about one request a second", () => {
  test.for([
    ["a loop of echo", "for i in $(seq 300); do echo $i >> $DIR/file; done"],
    [
      "a record, an open and a close, as TensorBoard does",
      python(`
for i in range(1, 301):
    with open(path, "ab") as f: f.write(b"%d\\n" % i)
`),
    ],
  ] as const)("%s", async ([, line]) => {
    const { seconds, count } = await cost(line, "file");
    expect(await content()).toBe(Array.from({ length: 300 }, (_, i) => `${i + 1}\n`).join(""));
    expect(count).toBeLessThanOrEqual(3 + seconds);
    expect(emulator.requests().filter(({ kind }) => kind === "GetObject").length).toBeLessThan(3);
  });
});

describe.skipIf(why !== undefined)("tar x of small files", () => {
  test("S2.4 costs one request each, in the order of the closes of each directory", async () => {
    const line =
      "mkdir $SRC; for d in a b c; do mkdir $SRC/$d; for f in $(seq 40); do echo $d$f > $SRC/$d/$f; done; done;" +
      // Without entries of directories: tar would set their times at its end, and a marker that was put by then is put again.
      "tar c -C $SRC $(cd $SRC; find a b c -type f | LC_ALL=C sort) | tar x -C $DIR; diff -r $SRC $DIR";
    await sh(line, env());
    const keys = await puts();
    expect(keys).toHaveLength(3 + 3 * 40);
    for (const dir of ["a", "b", "c"]) {
      const order = await sh(`ls $SRC/${dir} | LC_ALL=C sort`, env());
      const expected = order.trim().split("\n");
      const files = keys.filter((key) => key.startsWith(`${dir}/`)).map((key) => key.slice(2));
      expect(files.filter((name) => name !== "")).toEqual(expected);
    }
  });
});
