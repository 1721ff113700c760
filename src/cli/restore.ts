// `kodomount restore`: asks the store for archived files, and waits until they can be read.

import { Command } from "commander";
import { KodomountError, newAbort, systemClock } from "../base/mod.ts";
import { formatDuration, parseCount } from "../config/mod.ts";
import type { ArchiveStatus, ControlClient } from "../control/mod.ts";
import type { Context } from "./context.ts";
import { mountOf } from "./find-mount.ts";
import { Drawing, EXIT_FAILED, report, type Terminal } from "./terminal.ts";
import { cutText, printable } from "./text-width.ts";

/** As long as Kodo keeps what was restored. */
const DAYS_DEFAULT = "7";
const DAYS_MAX = 3650;
/** Between two looks: a store takes minutes, or hours. */
const LOOK_MIN_MS = 500;
const LOOK_MAX_MS = 30_000;
/** Who waits at a screen sees that time goes by. */
const TELL_MS = 1000;

const HELP = `
The store takes minutes, or hours for deep archives. Ctrl-C ends the wait, not the restoring.
Exits with 1 when something could not be asked for, or is not archived.
`;

/** A file that was asked for. */
interface Asked {
  readonly client: ControlClient;
  /** For people. */
  readonly name: string;
  readonly path: string;
}

/** The command. */
export function restoreCommand(context: Context): Command {
  return new Command("restore")
    .summary("ask for archived files, and wait until they can be read")
    .description(
      "Asks the store for the archived file PATH in a mount, or for all that is archived in the directory PATH, and waits until it can be read.",
    )
    .argument("<path...>", "files or directories in mounts")
    .option("--days <number>", "how long they can be read then", DAYS_DEFAULT)
    .option("--no-wait", "ask, and do not wait")
    .addHelpText("after", HELP)
    .action(async (paths: string[], flags: { days: string; wait: boolean }) => {
      const days = parseCount("'--days'", flags.days, { min: 1, max: DAYS_MAX });
      const asked: Asked[] = [];
      for (const path of paths) asked.push(...(await ask(context, path, days)));
      if (flags.wait) await waitFor(context, asked);
    });
}

/** @returns what is on its way. One that cannot be asked for does not keep the others from it. */
async function ask(context: Context, path: string, days: number): Promise<Asked[]> {
  try {
    const { client, below, entry } = await mountOf(context, path);
    const statuses = await client.restore({ path: below, days }, newAbort().signal);
    return statuses.flatMap((status) => {
      const name = printable(`${entry.dir}/${status.path}`);
      return tell(context, name, status) ? [] : [{ client, name, path: status.path }];
    });
  } catch (error) {
    context.exitCode = report(context.terminal, error, false);
    return [];
  }
}

/** Says how the file is. @returns whether there is nothing more to wait for. */
function tell(context: Context, name: string, { state, untilMs, error }: ArchiveStatus): boolean {
  const { terminal } = context;
  switch (state) {
    case "restoring":
      terminal.out(`${name} is being restored\n`);
      return false;
    case "restored":
    case "stored": {
      const until = untilMs === undefined ? "" : ` until ${new Date(untilMs).toISOString()}`;
      terminal.out(`${name} can be read${until}\n`);
      return true;
    }
    case "archived":
      terminal.err(
        `kodomount: ${name} is not restored: ${printable(error ?? "the store does not say why")}\n`,
      );
      context.exitCode = EXIT_FAILED;
      return true;
  }
}

async function waitFor(context: Context, asked: readonly Asked[]): Promise<void> {
  const waiting = new RestoreWaiting(context.terminal);
  let left = asked;
  let pauseMs = LOOK_MIN_MS;
  let lookAt = systemClock.monotonic() + pauseMs;
  while (left.length > 0) {
    waiting.show(left);
    const now = systemClock.monotonic();
    if (now < lookAt) await systemClock.sleep(Math.min(TELL_MS, lookAt - now));
    else {
      left = await stillLeft(context, left, waiting);
      pauseMs = Math.min(LOOK_MAX_MS, pauseMs * 2);
      lookAt = systemClock.monotonic() + pauseMs;
    }
  }
  waiting.clear();
}

async function stillLeft(
  context: Context,
  asked: readonly Asked[],
  waiting: RestoreWaiting,
): Promise<Asked[]> {
  const left: Asked[] = [];
  for (const each of asked) {
    const status = await look(each);
    if (status === undefined || status.state === "restoring") left.push(each);
    else {
      waiting.clear();
      tell(context, each.name, status);
    }
  }
  return left;
}

/** undefined: the store does not answer, and may later. */
async function look({ client, path }: Asked): Promise<ArchiveStatus | undefined> {
  try {
    return await client.archive(path, newAbort().signal);
  } catch (error) {
    if (error instanceof KodomountError && error.retryable) return undefined;
    throw error;
  }
}

/** What is shown meanwhile: a list on a screen, elsewhere a line whenever there is less to wait for. */
class RestoreWaiting {
  readonly #terminal: Terminal;
  readonly #drawing: Drawing;
  readonly #since = systemClock.monotonic();
  #said = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.#drawing = new Drawing(terminal);
  }

  show(left: readonly Asked[]): void {
    const what = left.length === 1 ? "a file" : `${left.length} files`;
    if (!this.#terminal.isScreen) {
      if (left.length !== this.#said) this.#terminal.out(`Waiting until ${what} can be read\n`);
      this.#said = left.length;
      return;
    }
    const { columns, rows } = this.#terminal.size();
    const elapsed = formatDuration(systemClock.monotonic() - this.#since);
    const lines = [
      `Waiting until ${what} can be read, for ${elapsed}`,
      ...left.map(({ name }) => `  ${name}`),
    ];
    // One row stays for the cursor, and the last column empty: some terminals wrap there.
    this.#drawing.show(
      lines.slice(0, Math.max(1, rows - 1)).map((line) => cutText(line, columns - 1)),
    );
  }

  clear(): void {
    this.#drawing.clear();
  }
}
