// The mount's process: takes its configuration from the channel, serves until it is told to end, and takes everything down.

import { Socket } from "node:net";
import { Command } from "commander";
import { Background, codeOf, describe, KodomountError, type Log } from "../base/mod.ts";
import { formatSource, type MountConfig, parseMountConfig } from "../config/mod.ts";
import { controlSocket, startControl } from "../control/mod.ts";
import { CHANNEL_VARIABLE, receive, send, toAnswer } from "./channel.ts";
import type { Context } from "./context.ts";
import { logFileOf } from "./daemon.ts";
import { createLog } from "./logger.ts";
import type { Registry, RegistryEntry } from "./registry.ts";
import type { Running } from "./running.ts";
import { EXIT_FAILED, EXIT_OK, sentenceOf } from "./terminal.ts";

/** The hidden command that `mount` starts; its arguments are for `ps`. */
export function serveCommand(context: Context): Command {
  return new Command("serve")
    .argument("[source]")
    .argument("[dir]")
    .action(async () => {
      context.exitCode = await serve(context.registry);
    });
}

const STDERR = 2;

async function serve(registry: Registry): Promise<number> {
  const channel = openChannel();
  // Nothing that this process makes is for anybody else.
  process.umask(0o077);
  const stopping = new Stopping();
  try {
    const config = parseMountConfig(await receive(channel));
    const to = config.foreground && config.log.file === undefined ? STDERR : logFileOf(config);
    const log = createLog({ level: config.log.level, to, credentials: config.credentials });
    // Who started us is gone before we could answer, or in the foreground at any time: nobody wants the mount.
    let wanted = true;
    channel.on("close", () => {
      if (wanted) stopping.request("the process that started the mount ended");
    });
    return await serveMount({ config, log, registry, stopping }, async (running) => {
      await send(channel, {
        ready: { pid: process.pid, pending: running.status().pending.length },
      });
      wanted = config.foreground;
    });
  } catch (error) {
    // When nobody listens any more the log has it.
    await send(channel, toAnswer(error)).catch(() => undefined);
    return EXIT_FAILED;
  } finally {
    channel.destroy();
  }
}

function openChannel(): Socket {
  const fd = Number(process.env[CHANNEL_VARIABLE]);
  if (!Number.isSafeInteger(fd) || fd < 3)
    throw new KodomountError(
      "Config",
      "'kodomount serve' is started by 'kodomount mount', not by hand",
    );
  const channel = new Socket({ fd, readable: true, writable: true });
  // The end is what counts, and is listened to.
  channel.on("error", () => undefined);
  return channel;
}

interface Served {
  readonly config: MountConfig;
  readonly log: Log;
  readonly registry: Registry;
  readonly stopping: Stopping;
}

async function serveMount(
  served: Served,
  onReady: (running: Running) => Promise<void>,
): Promise<number> {
  const { config, log } = served;
  log.info({ source: formatSource(config), dir: config.dir }, "Starting");
  const { compose } = await import("./compose.ts");
  let running: Running;
  try {
    running = await compose(config, log);
  } catch (error) {
    log.error({ err: error }, `The mount did not start: ${describe(error)}`);
    throw error;
  }
  try {
    return await serveRunning(served, running, onReady);
  } catch (error) {
    log.error({ err: error }, `The mount ends: ${describe(error)}`);
    await running.abandon();
    await running.ended;
    throw error;
  }
}

async function serveRunning(
  served: Served,
  running: Running,
  onReady: (running: Running) => Promise<void>,
): Promise<number> {
  const { config, log, registry, stopping } = served;
  const { stateDir, dir } = config;
  const background = new Background(log);
  const control = await startControl({
    socket: controlSocket(stateDir),
    target: running,
    background,
  });
  const entry: RegistryEntry = { dir, stateDir, pid: process.pid, source: formatSource(config) };
  await registry.add(entry);
  log.info({}, `${entry.source} is mounted at ${dir}`);
  // The mount serves whether or not anybody hears that it does.
  background.run("telling that the mount answers", () => onReady(running));
  stopping.act((reason, isFirst) =>
    background.run("stopping", () => stop(served, { running, reason, isFirst })),
  );
  const left = await running.ended;
  await registry.remove(entry);
  // Lets the answer to a stop request out before the socket goes.
  await background.settled();
  await control.close();
  log.info({ left: left.length }, "Ended");
  return left.length === 0 ? EXIT_OK : EXIT_FAILED;
}

/** A first request ends the mount as `kodomount unmount` does; another one while it waits ends it at once. */
async function stop(
  { log, stopping, config }: Served,
  how: { running: Running; reason: string; isFirst: boolean },
): Promise<void> {
  const { running, reason, isFirst } = how;
  log.info(
    { reason },
    isFirst ? "Unmounting when everything closed is in the bucket" : "Ending now",
  );
  if (!isFirst) return running.abandon();
  try {
    await running.stop({ wait: true }, () => undefined, new AbortController().signal);
  } catch (error) {
    if (codeOf(error) !== "Busy") throw error;
    log.error({ err: error }, `Not unmounted: ${describe(error)}`);
    if (config.foreground) process.stderr.write(`kodomount: ${sentenceOf(error)}\n`);
    stopping.rearm();
  }
}

/** Requests to end: from signals or the channel, possibly before there is anything to end. */
class Stopping {
  #act: ((reason: string, isFirst: boolean) => void) | undefined;
  #reason: string | undefined;

  constructor() {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(name, () => this.request(name));
  }

  request(reason: string): void {
    const isFirst = this.#reason === undefined;
    this.#reason ??= reason;
    this.#act?.(reason, isFirst);
  }

  /** `act` gets every request, also one that came before. */
  act(act: (reason: string, isFirst: boolean) => void): void {
    this.#act = act;
    if (this.#reason !== undefined) act(this.#reason, true);
  }

  /** The first request was refused: the next one counts as first again. */
  rearm(): void {
    this.#reason = undefined;
  }
}
