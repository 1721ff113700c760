// `kodomount unmount`: what exits with 0 here has everything that was closed in the bucket.

import path from "node:path";
import { Command } from "commander";
import { codeOf, systemClock } from "../base/mod.ts";
import type { MountStatus } from "../control/mod.ts";
import type { Context } from "./context.ts";
import { type FoundMount, mountAt } from "./find-mount.ts";
import { canonical, isAlive } from "./registry.ts";
import { EXIT_FAILED, type Terminal } from "./terminal.ts";
import { printable } from "./text-width.ts";
import { Waiting } from "./waiting.ts";

const HELP = `
Waits until everything that was closed is in the bucket; Ctrl-C ends the wait, and the mount stays.
Exits with 1 when something is not in the bucket. It is named, and kept in the state directory: the next mount goes on.
`;

/** The command. */
export function unmountCommand(context: Context): Command {
  return new Command("unmount")
    .alias("umount")
    .summary("wait for what is pending, then unmount")
    .description(
      "Waits until everything that was closed is in the bucket, says what it waits for, and unmounts DIR.",
    )
    .argument("<dir>", "the mount point")
    .option("--no-wait", "unmount at once; what is pending is named and goes on at the next mount")
    .addHelpText("after", HELP)
    .action(async (dir: string, { wait }: { wait: boolean }) => {
      const found = await findLiving(context, dir);
      if (found !== undefined) await unmount(context, found, wait);
      else context.exitCode = EXIT_FAILED;
    });
}

/** The mount to end; undefined when its process was dead and what it left has been cleaned up. */
async function findLiving(context: Context, dir: string): Promise<FoundMount | undefined> {
  try {
    return await mountAt(context, dir);
  } catch (error) {
    const code = codeOf(error);
    if (code !== "Stale" && code !== "NotFound") throw error;
    await cleanUp(context, dir, error);
    return undefined;
  }
}

/** @throws `error` when nothing of ours is there. */
async function cleanUp(context: Context, dir: string, error: unknown): Promise<void> {
  const at = await canonical(path.resolve(context.around.cwd, dir));
  const entry = await context.registry.find(at);
  const { inspectMountPoint } = await import("../fuse/mod.ts");
  const wasStale = await inspectMountPoint(at).then(
    (found) => found.wasStale,
    (refusal: unknown) => {
      // Without an entry it was not known to be ours: what was said first is the better reason.
      throw entry === undefined ? error : refusal;
    },
  );
  if (entry === undefined && !wasStale) throw error;
  if (entry !== undefined) await context.registry.remove(entry);
  const where = entry === undefined ? "" : ` (state in ${entry.stateDir})`;
  context.terminal.err(
    `kodomount: The process of the mount at ${at} had died, and is cleaned up after; what is not in the bucket yet goes on at the next mount${where}\n`,
  );
}

async function unmount(context: Context, found: FoundMount, wait: boolean): Promise<void> {
  const { terminal } = context;
  const { client, entry } = found;
  const before = await client.status();
  const waiting = new Waiting(terminal, systemClock);
  const { left } = await client
    .stop({ wait }, (status) => waiting.show(status), new AbortController().signal)
    .finally(() => waiting.clear());
  await gone(entry.pid);
  noteInterrupted(terminal, before);
  for (const each of left) terminal.err(`kodomount: Not in the bucket: ${printable(each)}\n`);
  if (left.length === 0)
    return terminal.out(`${entry.dir} is unmounted; everything closed is in the bucket\n`);
  terminal.err(
    `kodomount: ${entry.dir} is unmounted; what is named above is kept in ${entry.stateDir}, and goes on at the next mount\n`,
  );
  context.exitCode = EXIT_FAILED;
}

/** Nobody was promised anything for them, but somebody may look for them. */
function noteInterrupted(terminal: Terminal, { pending }: MountStatus): void {
  for (const { state, path: at, size } of pending)
    if (state === "interrupted" || state === "held")
      terminal.out(
        `Kept, not published, since its writer died or its temporary name was never changed: ${printable(at)} (${size} bytes); see 'kodomount uploads' after the next mount\n`,
      );
}

const GONE_WITHIN_MS = 5000;

/** The process ends right after its answer; the state directory is free when it has. */
async function gone(pid: number): Promise<void> {
  const end = systemClock.monotonic() + GONE_WITHIN_MS;
  while ((await isAlive(pid)) && systemClock.monotonic() < end) await systemClock.sleep(20);
}
