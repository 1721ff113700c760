// What an operator sees and does, by the real commands: a store that fails, a mount that was killed, a conflict with
// another client.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run, sh, until } from "../support/mount.ts";
import { emulator, env, local, mount, mountBeforeEach, why } from "../support/mounted.ts";

mountBeforeEach("the operator's view", ["--close", "local"]);

/** The store answers every request of these kinds with 503, until it is cancelled. */
function fail(...kinds: ("PutObject" | "UploadPart")[]): () => void {
  const fault = { kind: "status", status: 503, code: "SlowDown" } as const;
  const orders = kinds.map((kind) => emulator.order({ kind, fault, count: 1_000_000 }));
  return () => orders.forEach((order) => order.cancel());
}

/** Runs a command with a terminal of 12 rows and 100 columns; gives what the screen gets. */
async function onScreen(args: readonly string[], seconds: number): Promise<string> {
  const program = join(local, "screen.py");
  await writeFile(
    program,
    `import fcntl, os, pty, select, signal, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 100, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
end = time.time() + float(sys.argv[1])
while time.time() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try: data = os.read(fd, 65536)
        except OSError: break
        if not data: break
        sys.stdout.buffer.write(data)
os.kill(pid, signal.SIGINT)
os.waitpid(pid, 0)
`,
  );
  const main = new URL("../../dist/main.js", import.meta.url).pathname;
  const all = [program, String(seconds), process.execPath, main, ...args];
  return (await run("python3", all, { env: mount.env })).stdout;
}

describe.skipIf(why !== undefined)("the operator's view", () => {
  test("a store that fails: status, the picture and the log say what does not move and why, and when it moves again", async () => {
    const allow = fail("UploadPart");
    await sh('head -c 20M /dev/urandom > "$SRC"; cp "$SRC" "$DIR/a"; echo small > "$DIR/b"', env());
    await until("the log says what stands still", async () =>
      (await mount.log()).includes("The store has acknowledged nothing for 10 s: "),
    );
    const { stdout } = await mount.command(["status", mount.dir]);
    expect(stdout).toMatch(/ {2}trouble {3}for \d+ s: .*503 SlowDown/);
    expect(stdout).toMatch(/closed {7}a {2}20\.0 MiB, 0 of 3 parts {2}waits .* for \d+ s \(.*503/);
    expect(stdout).toMatch(/closed {7}b {2}6 bytes {2}waits for what was closed before it for/);
    const screen = await onScreen(["status", mount.dir, "--watch"], 3);
    expect(screen).toContain("the store has not answered well for ");
    expect(screen).toContain("[--------------------]   0 % a ");
    allow();
    expect((await mount.unmount()).code).toBe(0);
    expect(await mount.log()).toContain("Something moves again, after ");
  });

  test("a mount that was killed: the doctor names what is not in the bucket, changes nothing, and the next mount sends it", async () => {
    const allow = fail("PutObject", "UploadPart");
    await sh('head -c 20M /dev/urandom > "$SRC"; cp "$SRC" "$DIR/a"; echo small > "$DIR/b"', env());
    await mount.kill();
    allow();
    const args = mount.mountArgs();
    const source = args[1] ?? "";
    const doctor = () => mount.command(["doctor", source, ...args.slice(3, -2)]);
    const { code, stdout } = await doctor();
    expect(code).toBe(1);
    expect(stdout).toContain(`the process of the mount at ${mount.dir} has died`);
    expect(stdout).toContain("2 closed files (20.0 MiB) are not in the bucket, the first is ");
    expect(stdout).toMatch(/ok {4}delete {7}may delete objects; the probe \S+ is deleted/);
    await mount.start();
    expect((await mount.unmount()).code).toBe(0);
    expect(emulator.objects("bucket").map(({ key }) => key)).toEqual(["a", "b"]);
    expect((await doctor()).stdout).toContain("Nothing is wrong");
  });

  test("S3.6 a conflict: named by status, wait and the mount; resolved by order", async () => {
    const theirs = async (key: string): Promise<void> => {
      // Another mount, as another machine has it.
      const other = mount
        .mountArgs()
        .map((arg) => (arg === mount.dir ? join(local, "other") : arg));
      const at = other.indexOf("--state-dir") + 1;
      other[at] = join(local, "other.state");
      await sh(`mkdir -p "${join(local, "other")}"`);
      const mounted = await mount.command(other);
      expect(mounted.stderr).toBe("");
      await writeFile(join(local, "other", key), "theirs");
      expect((await mount.command(["unmount", join(local, "other")])).code).toBe(0);
    };
    for (const [key, keep] of [
      ["a", "mine"],
      ["b", "theirs"],
    ] as const) {
      const allow = fail("PutObject");
      await writeFile(join(mount.dir, key), "ours");
      await mount.kill();
      allow();
      await theirs(key);
      await mount.start();
      await until("it is parked", async () =>
        (await mount.status()).pending.some(({ state }) => state === "parked"),
      );
      const wait = await mount.command(["wait", join(mount.dir, key)]);
      expect(wait.code).toBe(1);
      expect(wait.stderr).toContain(`Not in the bucket: ${key}: parked (Conflict`);
      expect((await mount.command(["uploads"])).stdout).toContain(
        "another client has written it since",
      );
      expect(await readFile(join(mount.dir, key), "utf8")).toBe("ours");
      const args = ["uploads", "resolve", join(mount.dir, key), "--keep", keep];
      expect((await mount.command(args)).code).toBe(0);
      expect((await mount.command(["wait"])).code).toBe(0);
      await until(
        "what was kept shows",
        async () =>
          (await readFile(join(mount.dir, key), "utf8")) === (keep === "mine" ? "ours" : "theirs"),
      );
    }
    expect((await mount.unmount()).code).toBe(0);
    expect(emulator.objects("bucket").map(({ key, size }) => [key, size])).toEqual([
      ["a", 4],
      ["b", 6],
    ]);
  });
});
