// `kodomount mount`: everything that can be wrong is looked at here, while there is a terminal to say it on; then a
// process of its own takes over.

import { Command, Option } from "commander";
import { codeOf, KodomountError } from "../base/mod.ts";
import {
  CLOSE_LAG_DEFAULT,
  CLOSE_MODES,
  CONGESTIONS,
  formatSource,
  LIST_TTL_DEFAULT,
  LOG_LEVELS,
  loadMountConfig,
  type MountConfig,
  type MountFlags,
  parseMountConfig,
  prepareCacheDir,
  prepareStateDir,
  READ_MEMORY_DEFAULT,
} from "../config/mod.ts";
import type { MountPoint } from "../fuse/mod.ts";
import type { Context } from "./context.ts";
import { type Daemon, exited, startDaemon } from "./daemon.ts";
import { canonical } from "./registry.ts";
import { EXIT_FAILED, sentenceOf } from "./terminal.ts";

const HELP = `
Keys come from the environment or a file, never from arguments:
  KODO_ACCESS_KEY, KODO_SECRET_KEY, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or a profile
  of ~/.aws/credentials ('--profile', AWS_PROFILE, or the default one). '--profile' wins over all variables.

Examples:
  kodomount mount s3://models/team-a /mnt/models --endpoint https://s3.cn-east-1.qiniucs.com
  kodomount mount models /mnt/models --provider kodo --region cn-east-1 --close local

In /etc/fstab, with /sbin/mount.kodomount being a link to kodomount:
  s3://models/team-a /mnt/models kodomount endpoint=https://s3.cn-east-1.qiniucs.com,profile=work,_netdev,nofail 0 0
`;

/** `-o`, and what mount(8) gives its helpers besides. */
interface HelperFlags {
  readonly option?: string[];
  readonly f?: boolean;
}

/** The command. */
export function mountCommand(context: Context): Command {
  const command = new Command("mount")
    .summary("mount a bucket as a directory")
    .description(
      "Mounts BUCKET, or what is below PREFIX in it, at DIR, and leaves the mount in the background when it answers.",
    )
    .argument("<source>", "[s3://]BUCKET[/PREFIX]")
    .argument("<dir>", "an empty directory");
  for (const option of options()) command.addOption(option);
  return command
    .addHelpText("after", HELP)
    .action(async (source: string, dir: string, flags: MountFlags & HelperFlags) => {
      const { f: isFake, option, ...rest } = flags;
      const config = await check(context, { source, dir, flags: { ...rest, options: option } });
      // `mount -f`: everything but the mounting.
      if (isFake !== true) await mount(context, config);
    });
}

function options(): Option[] {
  const hidden = ["-f", "-s", "-n", "-v", "-t <type>", "-N <namespace>"];
  return [
    ...storeOptions(),
    new Option(
      "--close <mode>",
      `when close(2) returns: ${CLOSE_MODES.join(", ")} (default: commit)`,
    ),
    new Option(
      "--close-lag <time>",
      `with commit: how long a closed small file may stay unpublished (default: ${CLOSE_LAG_DEFAULT})`,
    ),
    repeatable(
      "--hold <pattern>",
      "names that are only temporary, as '*.tmp': published after their rename",
    ),
    repeatable(
      "--storage-class <[pattern=]class>",
      "of what is saved, as LINE or '*.ckpt=GLACIER' where the bucket's usual one is not wanted",
    ),
    new Option(
      "--persist-attributes <where>",
      "of objects that are in the bucket already: catalog (of this machine), or copy: a copy of the object onto itself (default: catalog)",
    ),
    new Option(
      "--state-dir <dir>",
      "on a local disk; what is pending is there (default: below XDG_STATE_HOME, as root /var/lib/kodomount)",
    ),
    ...readOptions(),
    new Option(
      "--spill-limit <size>",
      "bytes that pending files may take there (default: 80 % of what is free)",
    ),
    new Option("--part-size <size>", "of the first parts of a file (default: 8M)"),
    new Option(
      "--uploads <count>",
      "parts under way at the same time (default: as many as pay, from 8 to 256)",
    ),
    new Option(
      "--congestion <control>",
      `of connections to a far store: ${CONGESTIONS.join(" or ")} (default: bbr where the kernel allows it)`,
    ),
    new Option("--read-only", "nothing can be changed"),
    new Option("--allow-other", "other users may use the mount too"),
    new Option("--allow-http", "allow an endpoint without encryption that is not on this machine"),
    new Option(
      "--log <level-or-file>",
      `${LOG_LEVELS.join(", ")}, a file, or LEVEL:FILE (default: info, to kodomount.log in the state directory)`,
    ),
    new Option("--foreground", "stay; Ctrl-C unmounts"),
    repeatable("-o, --option <list>", "the same options as fstab writes them: a,b=c"),
    ...hidden.map((flags) => new Option(flags).hideHelp()),
  ];
}

function readOptions(): Option[] {
  return [
    new Option(
      "--read-endpoint <url>",
      "where content is read first: a CDN or a custom domain before the bucket",
    ),
    new Option(
      "--list-ttl <time>",
      `how old a listing may be: until when changes by other clients show (default: ${LIST_TTL_DEFAULT})`,
    ),
    new Option(
      "--read-memory <size>",
      `memory for reads: what was fetched, and what is fetched ahead (default: ${READ_MEMORY_DEFAULT})`,
    ),
    new Option("--cache-dir <dir>", "keep what was read on this local disk, also for later mounts"),
    new Option(
      "--cache-size <size>",
      "bytes that it may take there (default: 80 % of what is free, 10 % on the disk of the state directory)",
    ),
  ];
}

function storeOptions(): Option[] {
  return [
    new Option("--endpoint <url>", "the store; its host tells provider and region of Kodo and AWS"),
    new Option("--provider <name>", "kodo, aws or generic, where the endpoint does not tell"),
    new Option("--region <name>", "where the endpoint does not tell"),
    new Option("--profile <name>", "of ~/.aws/credentials"),
  ];
}

/** An option that may be given several times. */
function repeatable(flags: string, description: string): Option {
  return new Option(flags, `${description} (may be repeated)`).argParser(
    (value: string, before: string[] | undefined) => [...(before ?? []), value],
  );
}

/** Configuration, mount point and state directory, in the order in which a user would put them right. */
async function check(
  context: Context,
  request: { source: string; dir: string; flags: MountFlags },
): Promise<MountConfig> {
  const loaded = loadMountConfig(request, context.around);
  const { dir, wasStale } = await inspect(loaded.dir);
  if (wasStale)
    context.terminal.err(
      `kodomount: The mount at ${dir} had lost its process; it was cleaned up\n`,
    );
  const stateDir = await canonical(loaded.stateDir);
  const cache = loaded.cache && { ...loaded.cache, dir: await canonical(loaded.cache.dir) };
  const config = parseMountConfig({ ...loaded, dir, stateDir, cache });
  await prepareStateDir(config);
  await prepareCacheDir(config);
  return config;
}

/** A directory that is missing is a wrong argument, like any other. */
async function inspect(dir: string): Promise<MountPoint> {
  const { inspectMountPoint } = await import("../fuse/mod.ts");
  try {
    return await inspectMountPoint(dir);
  } catch (error) {
    if (codeOf(error) !== "NotFound") throw error;
    throw new KodomountError("Config", sentenceOf(error), { cause: error });
  }
}

async function mount(context: Context, config: MountConfig): Promise<void> {
  const { terminal } = context;
  const daemon = await startDaemon(config);
  const { pending } = daemon.ready;
  const more = pending === 0 ? "" : `; ${pending} pending from before, see 'kodomount uploads'`;
  terminal.out(`${formatSource(config)} is mounted at ${config.dir}${more}\n`);
  if (config.foreground) context.exitCode = await stay(daemon);
  else {
    daemon.channel.destroy();
    daemon.child.unref();
  }
}

/** Passes signals on until the mount's process has ended; its exit code is ours. */
async function stay({ child }: Daemon): Promise<number> {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => child.kill(name));
  const { code, signal } = await exited(child);
  if (signal !== null)
    throw new KodomountError("Io", `The mount's process was killed by ${signal}`);
  return code ?? EXIT_FAILED;
}
