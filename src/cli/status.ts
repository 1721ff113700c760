// `kodomount status`: what the mounts of this user are doing, for people or programs.

import { Command } from "commander";
import { KodomountError, systemClock } from "../base/mod.ts";
import type { MountStatus } from "../control/mod.ts";
import type { Context } from "./context.ts";
import { drawStatus } from "./draw.ts";
import { findMounts } from "./find-mount.ts";
import { showStatus } from "./show.ts";
import { Drawing } from "./terminal.ts";

/** How often the picture changes; seldomer when there is so much that telling it takes long. */
const WATCH_MS = 500;
const WATCH_SHARE = 0.2;

/** The command. */
export function statusCommand(context: Context): Command {
  return new Command("status")
    .summary("show mounts and what is pending in them")
    .description(
      "Shows the mount at DIR, or all mounts of this user: for each file what is promised, what is sent, what it waits for and since when.",
    )
    .argument("[dir]", "the mount point")
    .option("--json", "for programs: one object with DIR, else an array")
    .option("--watch", "draw it on the screen until Ctrl-C: a bar for each file, speed, time left")
    .action(async (dir: string | undefined, flags: { json?: boolean; watch?: boolean }) => {
      if (flags.watch === true) return watch(context, dir, flags.json === true);
      const { terminal } = context;
      const statuses = await readStatuses(context, dir);
      if (flags.json === true)
        return terminal.out(`${JSON.stringify(dir === undefined ? statuses : statuses[0])}\n`);
      if (statuses.length === 0 && context.exitCode === 0) terminal.out("Nothing is mounted\n");
      terminal.out(statuses.map((status) => showStatus(status, systemClock.now())).join("\n"));
    });
}

async function readStatuses(context: Context, dir: string | undefined): Promise<MountStatus[]> {
  const mounts = await findMounts(context, dir);
  return Promise.all(mounts.map(({ client }) => client.status()));
}

/** Until a signal, or until the mount at `dir` is gone. */
async function watch(context: Context, dir: string | undefined, json: boolean): Promise<void> {
  const { terminal } = context;
  if (json)
    throw new KodomountError("Config", "Cannot use '--watch' with '--json': leave one of them out");
  if (!terminal.isScreen)
    throw new KodomountError(
      "Config",
      "Cannot use '--watch': the output is not a screen; 'kodomount status' says it once, '--json' says it for programs",
    );
  const drawing = new Drawing(terminal);
  for (;;) {
    const start = systemClock.monotonic();
    drawing.show(await picture(context, dir));
    const took = systemClock.monotonic() - start;
    await systemClock.sleep(Math.max(WATCH_MS, took / WATCH_SHARE));
  }
}

async function picture(context: Context, dir: string | undefined): Promise<string[]> {
  const { columns, rows } = context.terminal.size();
  // A mount that died is a line of the picture; of the exit code only Ctrl-C decides.
  const said: string[] = [];
  const err = (text: string): void => void said.push(...text.trimEnd().split("\n"));
  const statuses = await readStatuses({ ...context, terminal: { ...context.terminal, err } }, dir);
  if (statuses.length === 0 && said.length === 0) said.push("Nothing is mounted");
  const size = { columns: columns - 1, rows: rows - 1 - said.length, now: systemClock.now() };
  return [...said.map((line) => line.slice(0, columns - 1)), ...drawStatus(statuses, size)];
}
