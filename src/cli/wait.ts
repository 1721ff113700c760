// `kodomount wait`: the barrier for scripts. What it exits with 0 for is in the bucket.

import { Command } from "commander";
import { systemClock } from "../base/mod.ts";
import type { Context } from "./context.ts";
import { findMounts, mountOf } from "./find-mount.ts";
import { EXIT_FAILED } from "./terminal.ts";
import { printable } from "./text-width.ts";
import { Waiting } from "./waiting.ts";

/** The command. */
export function waitCommand(context: Context): Command {
  return new Command("wait")
    .summary("wait until what was closed is in the bucket")
    .description(
      "Waits until PATH (a file or directory in a mount), or everything in all mounts, is in the bucket as far as it was closed. Exits with 1 when the store has refused some of it.",
    )
    .argument("[path]", "a file or directory in a mount, or a mount point")
    .action(async (path: string | undefined) => {
      const targets =
        path === undefined
          ? (await findMounts(context, undefined)).map((mount) => ({ ...mount, below: undefined }))
          : [await mountOf(context, path)];
      const { terminal } = context;
      for (const { client, below } of targets) {
        const waiting = new Waiting(terminal, systemClock);
        const { failed } = await client
          .waitFor(
            below === "" ? undefined : below,
            (status) => waiting.show(status),
            new AbortController().signal,
          )
          .finally(() => waiting.clear());
        for (const each of failed)
          terminal.err(`kodomount: Not in the bucket: ${printable(each)}\n`);
        if (failed.length > 0) context.exitCode = EXIT_FAILED;
      }
    });
}
