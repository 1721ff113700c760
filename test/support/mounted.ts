// One mount of the embedded store a test, with a directory beside it: for tests of what only the kernel shows.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import { run, TestMount, whyNoMounts } from "./mount.ts";
import { tempDir } from "./temp.ts";

const KEYS = { accessKeyId: "test", secretAccessKey: "testsecret" };

/** Why there can be no mounts here; undefined: there can. Printed by `mountBeforeEach`. */
export const why: string | undefined = whyNoMounts();

export let emulator: Emulator;
export let mount: TestMount;
/** Beside the mount, on the local disk. */
export let local: string;

/** Call it once in a file: each test then has a mount of its own, which ends with it. Its options may name what is in `local`, and in front of the `emulator`. */
export function mountBeforeEach(
  what: string,
  options: readonly string[] | (() => readonly string[] | Promise<readonly string[]>) = [],
): void {
  if (why !== undefined) {
    console.log(`skipped: ${what}, since ${why}`);
    return;
  }
  let temp: Awaited<ReturnType<typeof tempDir>>;
  beforeEach(async () => {
    temp = await tempDir();
    local = join(temp.path, "local");
    await mkdir(local);
    emulator = await startEmulator({
      dir: join(temp.path, "bucket"),
      buckets: ["bucket"],
      ...KEYS,
      region: "test",
      clock: systemClock,
      log: silentLog,
      limits: { restoreMs: 700 },
    });
    const endpoint = { endpoint: emulator.endpoint, region: "test", bucket: "bucket" };
    const given = typeof options === "function" ? await options() : options;
    mount = new TestMount(temp.path, { ...endpoint, ...KEYS, provider: "kodo" }, given);
    await mount.start();
  });
  afterEach(async () => {
    await mount[Symbol.asyncDispose]();
    await emulator.stop();
    await temp[Symbol.asyncDispose]();
  });
}

/** Unmounts (all must be published then), forgets, mounts again: what shows comes from the bucket. */
export async function mountAgain(): Promise<void> {
  const { code, stderr } = await mount.unmount();
  expect(stderr + code).toBe("0");
  await mount.forget();
  await mount.start();
}

/** `DIR` is the mount point, `SRC` a path beside it, where nothing is yet. */
export const env = (): NodeJS.ProcessEnv => ({ DIR: mount.dir, SRC: join(local, "src") });

/** Runs a Python program, whose `d` is the mounted directory; it must end well. */
export async function python(program: string): Promise<string> {
  const path = join(local, "program.py");
  await writeFile(path, `import os, sys\nd = sys.argv[1]\n${program}`);
  const { code, stderr, stdout } = await run("python3", [path, mount.dir]);
  expect(stderr + code).toBe("0");
  return stdout;
}
