// kodomount as a target: the daemon in the foreground, for all users.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exec, mustExec } from "../stage.ts";
import type { Mounter } from "./mount-target.ts";
import { PRODUCT, type SuiteStore } from "./stores.ts";
import type { Wanted } from "./targets.ts";

export async function kodomount(wanted: Wanted, store: SuiteStore): Promise<Mounter> {
  const stateDir = join(wanted.base, "state");
  const log = join(wanted.base, "mount.log");
  const env = {
    ...process.env,
    KODO_ACCESS_KEY: store.keys.accessKeyId,
    KODO_SECRET_KEY: store.keys.secretAccessKey,
    KODOMOUNT_RUN_DIR: join(wanted.base, "run"),
    // As the daemon is started: two threads of the pool wait for the kernel.
    UV_THREADPOOL_SIZE: "16",
  };
  const place = ["--endpoint", store.endpoint, "--region", store.region];
  const own = ["--provider", store.provider, "--state-dir", stateDir];
  const options = ["--allow-other", "--part-size", wanted.partSize];
  const start = (dir: string): ChildProcess => {
    const to = openSync(log, "a");
    const args = ["mount", `s3://${store.bucket}`, dir, "--foreground"];
    const child = spawn(process.execPath, [PRODUCT, ...args, ...place, ...own, ...options], {
      stdio: ["ignore", to, to],
      detached: true,
      env,
    });
    closeSync(to);
    return child;
  };
  const unmount = async (dir: string): Promise<void> => {
    await mustExec(["timeout", "120", process.execPath, PRODUCT, "unmount", dir], { env });
  };
  return { what: `${await version()} ${options.join(" ")}`, start, unmount, stateDir, log };
}

async function version(): Promise<string> {
  const root = dirname(dirname(PRODUCT));
  const parsed = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    version: string;
  };
  const { stdout } = await exec(["git", "rev-parse", "--short", "HEAD"]);
  const commit = process.env["KODOMOUNT_COMMIT"] ?? stdout;
  return `kodomount ${parsed.version}${commit === "" ? "" : ` (${commit})`}`;
}
