// What a run of tests has left behind: mounts, processes, temporary directories. Each is found by a mark that only this
// run gives (its own TMPDIR, a variable in the environment), so that the work of others on the machine is never touched.

import { spawn } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../src/base/mod.ts";

export interface Run {
  /** TMPDIR of everything in the run. */
  readonly tempDir: string;
  /** `NAME=VALUE` in the environment of everything in the run. */
  readonly mark: string;
}

/** Caches of tsx, Node and vitest (which names its own by 21 random letters), not of ours. */
const TOLERATED = /^(tsx-.*|node-compile-cache|[\w-]{21})$/;

/**
 * Names what is left of the run and removes it. Processes get two seconds to end by themselves: an orderly end takes a
 * moment after the test that asked for it.
 */
export async function clearLeftovers(run: Run): Promise<string[]> {
  const deadline = systemClock.monotonic() + 2000;
  let pids = await processesOf(run);
  while (pids.length > 0 && systemClock.monotonic() < deadline) {
    await systemClock.sleep(50);
    pids = await processesOf(run);
  }
  const found: string[] = [];
  for (const { pid, command } of pids) {
    found.push(`process ${pid} (${command})`);
    killQuietly(pid);
  }
  for (const mountPoint of await mountsBelow(run.tempDir)) {
    found.push(`mount ${mountPoint}`);
    await unmountLazily(mountPoint);
  }
  for (const name of await readdir(run.tempDir)) {
    if (TOLERATED.test(name)) continue;
    found.push(`temporary ${join(run.tempDir, name)}`);
    await removeBelow(run.tempDir, name);
  }
  return found;
}

/** Removes the run's TMPDIR itself. */
export async function removeTempDir(run: Run): Promise<void> {
  if ((await mountsBelow(run.tempDir)).length === 0)
    await rm(run.tempDir, { recursive: true, force: true });
}

/** Never follows into a mount: what is deleted there is deleted in a bucket. */
async function removeBelow(dir: string, name: string): Promise<void> {
  const path = join(dir, name);
  if ((await mountsBelow(path)).length === 0) await rm(path, { recursive: true, force: true });
}

async function processesOf(run: Run): Promise<{ pid: number; command: string }[]> {
  const found: { pid: number; command: string }[] = [];
  for (const name of await readdir("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = (await readProc(pid, "cmdline")).replaceAll("\0", " ").trim();
    if (command === "") continue;
    const environment = (await readProc(pid, "environ")).split("\0");
    if (environment.includes(run.mark) || command.includes(`${run.tempDir}/`))
      found.push({ pid, command: command.slice(0, 200) });
  }
  return found;
}

async function readProc(pid: number, name: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${name}`, "utf8");
  } catch {
    // Gone meanwhile, or of another user: not ours then.
    return "";
  }
}

/** Mount points of our type at or below `dir`, the deepest first. */
async function mountsBelow(dir: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const points: string[] = [];
  for (const line of lines) {
    const [before = "", after = ""] = line.split(" - ");
    const point = unescapeOctal(before.split(" ")[4] ?? "");
    const below = point === dir || point.startsWith(`${dir}/`);
    if (below && after.startsWith("fuse")) points.push(point);
  }
  return points.sort((a, b) => b.length - a.length);
}

/** mountinfo writes a space as `\040`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function unmountLazily(mountPoint: string): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn("umount", ["-l", mountPoint], { stdio: "inherit" });
    child.on("error", () => resolve());
    child.on("exit", () => resolve());
  });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended meanwhile, which is what was wanted.
  }
}
