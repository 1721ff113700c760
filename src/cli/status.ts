// `kodomount status`: what the mounts of this user are doing, for people or programs.

import { Command } from "commander";
import { systemClock } from "../base/mod.ts";
import type { Context } from "./context.ts";
import { findMounts } from "./find-mount.ts";
import { showStatus } from "./show.ts";

/** The command. */
export function statusCommand(context: Context): Command {
  return new Command("status")
    .summary("show mounts and what is pending in them")
    .description("Shows the mount at DIR, or all mounts of this user.")
    .argument("[dir]", "the mount point")
    .option("--json", "for programs: one object with DIR, else an array")
    .action(async (dir: string | undefined, { json }: { json?: boolean }) => {
      const { terminal } = context;
      const mounts = await findMounts(context, dir);
      const statuses = await Promise.all(mounts.map(({ client }) => client.status()));
      if (json === true)
        return terminal.out(`${JSON.stringify(dir === undefined ? statuses : statuses[0])}\n`);
      if (statuses.length === 0 && context.exitCode === 0) terminal.out("Nothing is mounted\n");
      terminal.out(statuses.map((status) => showStatus(status, systemClock.now())).join("\n"));
    });
}
