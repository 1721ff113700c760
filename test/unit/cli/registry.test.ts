// The registry of living mounts, and how a directory is named in it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/mod.ts";
import {
  canonical,
  isAlive,
  Registry,
  type RegistryEntry,
  registryDirectory,
} from "../../../src/cli/registry.ts";
import { around } from "../config/load.ts";

/** Above what the kernel gives out. */
const DEAD_PID = 2 ** 30;

let base: string;
let registry: Registry;
beforeEach(async () => {
  base = await mkdtemp(path.join(os.tmpdir(), "kodomount-registry-"));
  registry = new Registry(path.join(base, "run"));
});
afterEach(async () => {
  await rm(base, { recursive: true });
});

function entry(changes: Partial<RegistryEntry> = {}): RegistryEntry {
  return {
    dir: "/mnt/a",
    stateDir: "/state/a",
    pid: process.pid,
    source: "s3://models",
    ...changes,
  };
}

describe("Registry", () => {
  it("finds and lists what was added, for this user alone", async () => {
    await registry.add(entry());
    await registry.add(entry({ dir: "/mnt/b" }));
    expect(await registry.find("/mnt/b")).toEqual(entry({ dir: "/mnt/b" }));
    expect(await registry.find("/mnt/c")).toBeUndefined();
    expect((await registry.list()).map((each) => each.dir)).toEqual(["/mnt/a", "/mnt/b"]);
    expect((await stat(path.join(base, "run"))).mode & 0o777).toBe(0o700);
  });

  it("lists what a dead process left as long as its state is there", async () => {
    const stateDir = path.join(base, "state");
    await mkdir(stateDir);
    await registry.add(entry({ pid: DEAD_PID, stateDir }));
    expect((await registry.list()).map(({ dir }) => dir)).toEqual(["/mnt/a"]);
    await rm(stateDir, { recursive: true });
    expect(await registry.list()).toEqual([]);
    expect(await readdir(path.join(base, "run"))).toEqual([]);
  });

  it("replaces the entry of a dead process, which then cannot remove the new one", async () => {
    const dead = entry({ pid: DEAD_PID });
    await registry.add(dead);
    await registry.add(entry());
    await registry.remove(dead);
    expect(await registry.find("/mnt/a")).toEqual(entry());
    await registry.remove(entry());
    expect(await registry.find("/mnt/a")).toBeUndefined();
  });

  it("passes over what is no entry", async () => {
    await registry.add(entry());
    for (const [name, text] of [
      ["x.json", "{"],
      ["y.json", '{"dir":1}'],
      ["z.json", "null"],
    ] as const)
      await writeFile(path.join(base, "run", name), text);
    expect(await registry.list()).toEqual([entry()]);
  });

  it("is empty where there is none", async () => {
    expect(await registry.list()).toEqual([]);
  });
});

describe("registryDirectory", () => {
  it.each([
    [{ isRoot: true }, "/run/kodomount"],
    [{ env: { XDG_RUNTIME_DIR: "/run/user/7" } }, "/run/user/7/kodomount"],
    [{ env: {} }, "/home/ann/.local/state/kodomount/run"],
    [{ isRoot: true, env: { KODOMOUNT_RUN_DIR: "/elsewhere" } }, "/elsewhere"],
  ])("is where the system keeps such things: %j", (changes, directory) => {
    expect(registryDirectory(around(changes))).toBe(directory);
  });
});

describe("canonical", () => {
  it("follows links on the way and at the end, and takes what is not there as it is", async () => {
    await mkdir(path.join(base, "real", "mnt"), { recursive: true });
    await symlink("real", path.join(base, "via"));
    await symlink(path.join("via", "mnt"), path.join(base, "link"));
    const real = await canonical(path.join(base, "real", "mnt"));
    expect(await canonical(path.join(base, "via", "mnt"))).toBe(real);
    expect(await canonical(path.join(base, "link"))).toBe(real);
    expect(await canonical("/no/such/place/")).toBe("/no/such/place");
    expect(await canonical("/")).toBe("/");
  });
});

describe("isAlive", () => {
  it("tells this process from one that is not there", async () => {
    expect(await isAlive(process.pid)).toBe(true);
    expect(await isAlive(DEAD_PID)).toBe(false);
  });

  it("takes what is dead and was not waited for as dead", async () => {
    // The shell does not wait for its child, which so keeps its number.
    const shell = spawn("sh", ["-c", "true & echo $!; exec sleep 600"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      const [line] = await once(shell.stdout, "data");
      const pid = Number(String(line));
      while (await isAlive(pid)) await systemClock.sleep(5);
    } finally {
      shell.kill("SIGKILL");
      await once(shell, "exit");
    }
  });
});
