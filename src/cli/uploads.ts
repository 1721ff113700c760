// `kodomount uploads`: the saves that are on their way or kept, and the operator's orders for those that do not go on by
// themselves.

import path from "node:path";
import { Command } from "commander";
import { KodomountError, systemClock } from "../base/mod.ts";
import type { Action, UploadStatus } from "../control/mod.ts";
import type { Context } from "./context.ts";
import { type FoundMount, findMounts } from "./find-mount.ts";
import { canonical } from "./registry.ts";
import { showUploads } from "./show.ts";
import { printable } from "./text-width.ts";

const ORDERS: readonly { kind: Action["kind"]; summary: string; done: string }[] = [
  {
    kind: "publish",
    summary: "publish what an interrupted writer left, as it is",
    done: "will be published",
  },
  { kind: "drop", summary: "delete what is interrupted or parked, for good", done: "is dropped" },
  { kind: "retry", summary: "try again what the store has refused", done: "is tried again" },
];

/** The command with its subcommands. */
export function uploadsCommand(context: Context): Command {
  const command = new Command("uploads")
    .summary("list saves that are not in the bucket yet; publish, drop, retry or resolve them")
    .description(
      "Lists the saves of the mount at DIR, or of all mounts, that are not in the bucket: on their way, interrupted (the writer died) or parked (the store refused).",
    )
    .argument("[dir]", "the mount point")
    .option("--json", "for programs: an array")
    .action(async (dir: string | undefined, { json }: { json?: boolean }) => {
      const { terminal } = context;
      const uploads = (await listAll(await findMounts(context, dir))).map(({ upload, mount }) => ({
        ...upload,
        dir: mount.entry.dir,
      }));
      if (json === true) return terminal.out(`${JSON.stringify(uploads)}\n`);
      // Of a mount that does not answer nobody knows.
      if (uploads.length === 0 && context.exitCode === 0) terminal.out("Nothing is pending\n");
      terminal.out(showUploads(uploads, systemClock.now()));
    });
  for (const order of ORDERS)
    command.addCommand(
      new Command(order.kind)
        .summary(order.summary)
        .description(`Of one save: ${order.summary}.`)
        .argument("<save>", "the id that 'kodomount uploads' shows, or the path of the file")
        .action(async (save: string) => {
          const { mount, upload } = await findUpload(context, save);
          await mount.client.act({ kind: order.kind, save: upload.save });
          context.terminal.out(`${printable(upload.path)} ${order.done}\n`);
        }),
    );
  return command.addCommand(resolveCommand(context));
}

function resolveCommand(context: Context): Command {
  return new Command("resolve")
    .summary("settle a conflict with another client")
    .description(
      "Of one save that is kept because another client has written the object: --keep mine replaces what is in the bucket now by the save, --keep theirs deletes the save for good.",
    )
    .argument("<save>", "the id that 'kodomount uploads' shows, or the path of the file")
    .requiredOption("--keep <whose>", "mine or theirs")
    .action(async (save: string, { keep }: { keep: string }) => {
      if (keep !== "mine" && keep !== "theirs")
        throw new KodomountError(
          "Config",
          `Cannot use '--keep' ${JSON.stringify(keep)}: it must be mine or theirs`,
        );
      const { mount, upload } = await findUpload(context, save);
      await mount.client.act({ kind: `keep-${keep}`, save: upload.save });
      const done = keep === "mine" ? "will replace what is in the bucket" : "is dropped";
      context.terminal.out(`${printable(upload.path)} ${done}\n`);
    });
}

interface Found {
  readonly mount: FoundMount;
  readonly upload: UploadStatus;
}

async function listAll(mounts: readonly FoundMount[]): Promise<Found[]> {
  const lists = mounts.map(async (mount) =>
    (await mount.client.uploads()).map((upload) => ({ mount, upload })),
  );
  return (await Promise.all(lists)).flat();
}

/** @throws `NotFound`; `Invalid` when a path has two saves, so that the id must be given. */
async function findUpload(context: Context, name: string): Promise<Found> {
  const all = await listAll(await findMounts(context, undefined));
  const byId = all.find(({ upload }) => upload.save === name);
  if (byId !== undefined) return byId;
  const file = await canonical(path.resolve(context.around.cwd, name));
  const [found, second] = all
    .filter(({ mount, upload }) => path.resolve(mount.entry.dir, upload.path) === file)
    .filter(({ upload }) => upload.state === "interrupted" || upload.state === "parked");
  if (found === undefined)
    throw new KodomountError(
      "NotFound",
      `No save ${JSON.stringify(name)} is interrupted or parked; see 'kodomount uploads'`,
    );
  if (second !== undefined)
    throw new KodomountError(
      "Invalid",
      `There are two saves of ${file}: give the id that 'kodomount uploads' shows`,
    );
  return found;
}
