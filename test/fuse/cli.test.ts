// The commands on a real mount: what goes wrong at the start is said in one line, keys are nowhere to be seen, and every
// way in which a mount can end keeps what was closed.

import { mkdir, open, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import { type Output, run, sh, start, TestMount, until, whyNoMounts } from "../support/mount.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

const why = whyNoMounts();
if (why !== undefined) console.log(`skipped: commands on a real mount, since ${why}`);

const KEYS = { accessKeyId: "test", secretAccessKey: "hunter2-of-a-test" };

let temp: TempDir;
let emulator: Emulator;
let mount: TestMount;

async function startStore(port: number): Promise<void> {
  emulator = await startEmulator({
    dir: path.join(temp.path, "bucket"),
    buckets: ["models"],
    ...KEYS,
    region: "test",
    port,
    clock: systemClock,
    log: silentLog,
  });
}

beforeEach(async () => {
  if (why !== undefined) return;
  temp = await tempDir("commands");
  await startStore(0);
  mount = new TestMount(temp.path, {
    endpoint: emulator.endpoint,
    ...KEYS,
    region: "test",
    bucket: "models",
    provider: "kodo",
  });
  await mkdir(mount.dir);
});

afterEach(async () => {
  if (why !== undefined) return;
  await mount[Symbol.asyncDispose]();
  await emulator.stop();
  await temp[Symbol.asyncDispose]();
});

/** `mount`, with arguments replaced or added; must be refused. */
async function refusal(
  changes: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv = {},
): Promise<Pick<Output, "code" | "stderr">> {
  const args = mount.mountArgs().map((arg, index, all) => {
    if (index === 1) return changes["source"] ?? arg;
    if (index === 2) return changes["dir"] ?? arg;
    return changes[all[index - 1] ?? ""] ?? arg;
  });
  const { code, stderr, stdout } = await mount.command(args, env);
  expect(stdout).toBe("");
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(stderr).not.toContain("hunter2");
  return { code, stderr };
}

/** Bytes of an object, as anybody sees them. */
async function inBucket(name: string): Promise<string> {
  await mount.forget();
  await mount.start();
  return readFile(path.join(mount.dir, name), "utf8");
}

describe.skipIf(why !== undefined)("kodomount mount refuses", () => {
  test("a mount point that is missing, a file, or not empty", async () => {
    const missing = path.join(temp.path, "missing");
    expect(await refusal({ dir: missing })).toEqual({
      code: 2,
      stderr: `kodomount: Cannot mount on ${missing}: it does not exist; make it\n`,
    });
    const file = path.join(temp.path, "file");
    await writeFile(file, "");
    expect((await refusal({ dir: file })).code).toBe(2);
    await writeFile(path.join(mount.dir, "x"), "");
    const { code, stderr } = await refusal({});
    expect(code).toBe(2);
    expect(stderr).toContain("it is not empty");
    await rm(path.join(mount.dir, "x"));
  });

  test("wrong keys, bucket, region and endpoint, each with what to do", async () => {
    const { endpoint } = emulator;
    const rows: [Record<string, string>, NodeJS.ProcessEnv, string][] = [
      [
        {},
        { KODO_SECRET_KEY: "hunter2-wrong" },
        `${endpoint} does not accept the keys of the environment: `,
      ],
      [
        {},
        { KODO_ACCESS_KEY: "wrong" },
        `${endpoint} does not accept the keys of the environment: `,
      ],
      [{ source: "s3://other" }, {}, `There is no bucket 'other' at ${endpoint}: `],
      [
        { "--region": "elsewhere" },
        {},
        `Bucket 'models' is not in region 'elsewhere' of ${endpoint}: `,
      ],
      [{ "--endpoint": "http://127.0.0.1:9" }, {}, "http://127.0.0.1:9 cannot be reached: "],
    ];
    for (const [changes, env, message] of rows) {
      const { code, stderr } = await refusal(changes, env);
      expect(code).toBe(1);
      expect(stderr.startsWith(`kodomount: ${message}`)).toBe(true);
    }
    expect(await sh('grep -c " $DIR " /proc/self/mountinfo || true', mount.env)).toBe("0\n");
  });

  test("a directory, or a state directory, that a mount uses already; the mount goes on", async () => {
    await mount.start();
    const { pid } = await mount.status();
    const state2 = path.join(temp.path, "state2");
    expect((await refusal({ "--state-dir": state2 })).stderr).toContain(
      "kodomount has mounted s3://models there already",
    );
    const dir2 = path.join(temp.path, "mnt2");
    await mkdir(dir2);
    expect(await refusal({ dir: dir2 })).toEqual({
      code: 1,
      stderr: expect.stringContaining(`is in use by process ${pid}`),
    });
    expect((await mount.status()).pid).toBe(pid);
  });

  test("a state directory of another bucket", async () => {
    await mount.start();
    await mount.unmount();
    const { code, stderr } = await refusal({ source: "s3://models/below" });
    expect(code).toBe(2);
    expect(stderr).toContain("belongs to models");
  });
});

describe.skipIf(why !== undefined)("a mount in the background", () => {
  test("has the keys neither in its arguments, nor its environment, nor its log", async () => {
    await mount.start();
    await writeFile(path.join(mount.dir, "a"), "a");
    const { pid } = await mount.status();
    for (const name of ["cmdline", "environ"])
      expect(await readFile(`/proc/${pid}/${name}`, "latin1")).not.toContain("hunter2");
    expect(await mount.log()).not.toContain("hunter2");
    expect(await mount.log()).toContain("is mounted at");
  });

  test("with open files stays when it is told to end", async () => {
    await mount.start();
    const writer = start(`sh -c 'exec 5>${mount.dir}/open; exec sleep 60'`, {});
    await until("the file is open", async () => (await readdir(mount.dir)).includes("open"));
    const { code, stderr } = await mount.unmount();
    expect(code).toBe(1);
    expect(stderr).toBe(
      `kodomount: Cannot unmount ${mount.dir}: files in it are open, or a program works in it; end those (fuser -vm ${mount.dir} lists them) and try again\n`,
    );
    writer.kill("SIGKILL");
    await writer.ended;
    expect((await mount.unmount()).code).toBe(0);
  });

  test("is found by status, wait and unmount through a link, and is gone afterwards", async () => {
    await mount.start();
    const link = path.join(temp.path, "link");
    await symlink(mount.dir, link);
    await writeFile(path.join(mount.dir, "a"), "content");
    expect((await mount.command(["wait", path.join(link, "a")])).code).toBe(0);
    const { code, stdout } = await mount.command(["unmount", link]);
    expect({ code, stdout: stdout.split("\n").at(-2) }).toEqual({
      code: 0,
      stdout: `${mount.dir} is unmounted; everything closed is in the bucket`,
    });
    expect((await mount.command(["status", mount.dir])).stderr).toContain(
      "is not mounted by kodomount",
    );
    expect(await inBucket("a")).toBe("content");
  });

  test("killed, is cleaned up by unmount, which says that it cannot know", async () => {
    await mount.start();
    await mount.kill();
    const { code, stderr } = await mount.unmount();
    expect(code).toBe(1);
    expect(stderr).toContain("had died, and is cleaned up after");
    expect(await readdir(mount.dir)).toEqual([]);
    await mount.start();
    expect((await mount.unmount()).code).toBe(0);
  });

  test("unmounted by umount, goes on until what was closed is in the bucket", async () => {
    await mount.start();
    await writeFile(path.join(mount.dir, "late"), "content");
    await sh("umount $DIR", mount.env);
    await mount.died();
    expect(await inBucket("late")).toBe("content");
  });
});

describe.skipIf(why !== undefined)("on a dead network", () => {
  let port = 0;

  /** One file closed that cannot go out, and the mount that holds it. */
  async function pendingFile(): Promise<void> {
    await mount.start();
    const file = await open(path.join(mount.dir, "held"), "w");
    await file.write("content");
    port = Number(new URL(emulator.endpoint).port);
    await emulator.stop();
    await file.close();
  }

  test("unmount --no-wait ends at once, names what is left, and the next mount publishes it", async () => {
    await pendingFile();
    const { code, stderr } = await mount.unmount(["--no-wait"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^kodomount: Not in the bucket: held: (closed|completing)/);
    await mount.died();
    await startStore(port);
    await mount.start();
    expect((await mount.unmount()).code).toBe(0);
    expect(await inBucket("held")).toBe("content");
  });

  test("unmount waits; given up, the mount stays; when the network is back all ends well", async () => {
    await pendingFile();
    const waiting = start(`${process.execPath} dist/main.js unmount ${mount.dir}`, mount.env);
    await until("the command waits", async () => (await mount.status()).pending.length > 0);
    waiting.kill("SIGINT");
    expect((await waiting.ended).signal).toBe("SIGINT");
    expect((await mount.status()).pending).toMatchObject([{ path: "held" }]);
    await startStore(port);
    expect((await mount.unmount()).code).toBe(0);
    expect(await inBucket("held")).toBe("content");
  });

  test("a first SIGTERM waits, a second one ends at once and loses nothing", async () => {
    await pendingFile();
    const { pid } = await mount.status();
    process.kill(pid, "SIGTERM");
    await until("it waits", async () => (await mount.log()).includes("Unmounting when"));
    process.kill(pid, "SIGTERM");
    await mount.died();
    await startStore(port);
    await mount.start();
    expect((await mount.unmount()).code).toBe(0);
    expect(await inBucket("held")).toBe("content");
  });
});

describe.skipIf(why !== undefined)("a mount in the foreground", () => {
  function foreground(): ReturnType<typeof start> {
    const args = [...mount.mountArgs(), "--foreground"].map((arg) => `'${arg}'`).join(" ");
    return start(`${process.execPath} dist/main.js ${args}`, mount.env);
  }

  async function answers(): Promise<number> {
    await until("it answers", async () => (await mount.command(["status", mount.dir])).code === 0);
    return (await mount.status()).pid;
  }

  test("ends by Ctrl-C as unmount does", async () => {
    const command = foreground();
    await answers();
    await writeFile(path.join(mount.dir, "a"), "content");
    command.kill("SIGINT");
    const { code, stdout, stderr } = await command.ended;
    expect(code).toBe(0);
    expect(stdout).toContain(`s3://models is mounted at ${mount.dir}`);
    expect(stdout + stderr).not.toContain("hunter2");
    expect(await inBucket("a")).toBe("content");
  });

  test("ends when the command that holds it is killed", async () => {
    const command = foreground();
    const pid = await answers();
    await writeFile(path.join(mount.dir, "a"), "content");
    command.kill("SIGKILL");
    await command.ended;
    await until(
      "its process has ended",
      async () => (await run("kill", ["-0", String(pid)])).code !== 0,
    );
    expect(await inBucket("a")).toBe("content");
  });
});
