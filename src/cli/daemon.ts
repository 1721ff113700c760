// Starts the process that serves a mount, and waits until it answers. Its number of threads for file I/O must be in the
// environment before it starts, so it is a process of its own even in the foreground.

import { type ChildProcess, spawn } from "node:child_process";
import { open } from "node:fs/promises";
import path from "node:path";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { errnoOf, invariant, KodomountError } from "../base/mod.ts";
import { formatSource, type MountConfig, SECRET_VARIABLES } from "../config/mod.ts";
import { CHANNEL_DESCRIPTOR, CHANNEL_VARIABLE, readAnswer, receive, send } from "./channel.ts";

/** Spill writes and syncs wait for the disk in threads; LevelDB's syncs need some of the same. */
const IO_THREADS = 16;

export interface Daemon {
  readonly child: ChildProcess;
  /** Open as long as this process wants the mount; in the foreground the mount ends with it. */
  readonly channel: Duplex;
  readonly ready: { readonly pid: number; readonly pending: number };
}

/** Where the mount's process writes what it has to say. */
export function logFileOf(config: Pick<MountConfig, "log" | "stateDir">): string {
  return config.log.file ?? path.join(config.stateDir, "kodomount.log");
}

/**
 * Resolves when the mount answers.
 * @throws what kept it from starting, as its process said it.
 */
export async function startDaemon(config: MountConfig): Promise<Daemon> {
  const child = await launch(config);
  const channel = child.stdio[CHANNEL_DESCRIPTOR];
  invariant(channel instanceof Duplex, "a channel is a socket");
  const died = exited(child);
  // Its end is told by `receive`, or by the exit.
  channel.on("error", () => undefined);
  // A child that died has not read it, and `receive` says that it died.
  const [answer] = await Promise.all([
    receive(channel),
    send(channel, config).catch(() => undefined),
  ]);
  if (answer === undefined) throw deathOf(await died, config);
  return { child, channel, ready: readAnswer(answer) };
}

/** How it ended; rejects when it could not even start. */
export function exited(
  child: ChildProcess,
): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) =>
      reject(new KodomountError("Io", "Cannot start the mount's process", { cause: error })),
    );
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

/** The command line and environment of the mount's process: neither has a key in it. */
export function daemonCommand(config: MountConfig): {
  args: string[];
  env: Record<string, string | undefined>;
} {
  const isSource = import.meta.url.endsWith(".ts");
  const main = fileURLToPath(new URL(isSource ? "../main.ts" : "../main.js", import.meta.url));
  const loader = isSource ? ["--import", import.meta.resolve("tsx")] : [];
  const env: Record<string, string | undefined> = {
    ...process.env,
    UV_THREADPOOL_SIZE: String(IO_THREADS),
    [CHANNEL_VARIABLE]: String(CHANNEL_DESCRIPTOR),
  };
  if (config.credentials.kind === "static") for (const name of SECRET_VARIABLES) delete env[name];
  // Source and directory are for `ps` alone: the configuration comes over the channel.
  return { args: [...loader, main, "serve", formatSource(config), config.dir], env };
}

async function launch(config: MountConfig): Promise<ChildProcess> {
  const { args, env } = daemonCommand(config);
  // A session of its own: Ctrl-C at the terminal reaches it only as the signal that we pass on.
  const options = { cwd: "/", env, detached: true };
  if (config.foreground)
    return spawn(process.execPath, args, {
      ...options,
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
  const log = await openLog(logFileOf(config));
  try {
    return spawn(process.execPath, args, { ...options, stdio: ["ignore", log.fd, log.fd, "pipe"] });
  } finally {
    await log.close();
  }
}

async function openLog(file: string): ReturnType<typeof open> {
  try {
    return await open(file, "a", 0o600);
  } catch (error) {
    throw new KodomountError(
      "Config",
      `Cannot use '--log' ${JSON.stringify(file)}: it cannot be written (${errnoOf(error) ?? "unknown"})`,
      { cause: error },
    );
  }
}

function deathOf(
  how: { code: number | null; signal: string | null },
  config: MountConfig,
): KodomountError {
  const end = how.signal === null ? `with exit code ${how.code}` : `by ${how.signal}`;
  const where = config.foreground ? "above" : `in ${logFileOf(config)}`;
  return new KodomountError(
    "Io",
    `The mount's process ended ${end} before it answered; its last words are ${where}`,
  );
}
