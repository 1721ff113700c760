// `kodomount warm`: what will be read is fetched into the cache on disk beforehand.

import { Command } from "commander";
import { type Clock, newAbort, systemClock } from "../base/mod.ts";
import { formatDuration, formatSize } from "../config/mod.ts";
import type { WarmStatus } from "../control/mod.ts";
import type { Context } from "./context.ts";
import { count, drawBar } from "./draw.ts";
import { type FoundMount, mountOf } from "./find-mount.ts";
import { Drawing, EXIT_FAILED, type Terminal } from "./terminal.ts";
import { cutText, printable } from "./text-width.ts";

const HELP = `
The mount must have been made with '--cache-dir'. What is there already is not fetched again. Ctrl-C ends it; what was
fetched stays. Exits with 1 when something could not be fetched; it is named.
`;

/** The command. */
export function warmCommand(context: Context): Command {
  return new Command("warm")
    .summary("fetch files into the cache on disk")
    .description(
      "Fetches files, and all that is in directories, into the cache on disk of their mount, so that they are read from there.",
    )
    .argument("<path...>", "files or directories in mounts")
    .addHelpText("after", HELP)
    .action(async (paths: string[]) => {
      for (const { mount, below } of await byMount(context, paths))
        await warm(context, mount, below);
    });
}

/** All are looked up before anything is fetched. */
async function byMount(
  context: Context,
  paths: readonly string[],
): Promise<{ mount: FoundMount; below: string[] }[]> {
  const found = new Map<string, { mount: FoundMount; below: string[] }>();
  for (const path of paths) {
    const { below, ...mount } = await mountOf(context, path);
    const { dir } = mount.entry;
    found.set(dir, { mount, below: [...(found.get(dir)?.below ?? []), below] });
  }
  return [...found.values()];
}

async function warm(context: Context, mount: FoundMount, below: string[]): Promise<void> {
  const { terminal } = context;
  const warming = new Warming(terminal, systemClock);
  const { files, bytes, bytesFetched, failed } = await mount.client
    .warm(below, (status) => warming.show(status), newAbort().signal)
    .finally(() => warming.clear());
  for (const line of failed) terminal.err(`kodomount: Not in the cache: ${printable(line)}\n`);
  const kept = files - failed.length;
  terminal.out(
    `${kept} of ${count(files)} (${formatSize(bytes)}) in the cache, ${formatSize(bytesFetched)} fetched\n`,
  );
  if (failed.length > 0) context.exitCode = EXIT_FAILED;
}

/** What is shown meanwhile: a bar on a screen, elsewhere a line for each tenth. */
class Warming {
  readonly #terminal: Terminal;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #drawing: Drawing;
  readonly #since: number;
  #said = -1;

  constructor(terminal: Terminal, clock: Pick<Clock, "monotonic">) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#drawing = new Drawing(terminal);
    this.#since = clock.monotonic();
  }

  show(status: WarmStatus): void {
    const { files, filesDone, bytes, bytesDone } = status;
    const share = bytes === 0 ? 1 : bytesDone / bytes;
    const far = `${filesDone} of ${count(files)}, ${formatSize(bytesDone)} of ${formatSize(bytes)}`;
    if (!this.#terminal.isScreen) {
      const tenth = Math.floor(share * 10);
      if (tenth > this.#said) this.#terminal.out(`${tenth * 10} %: ${far}\n`);
      this.#said = Math.max(tenth, this.#said);
      return;
    }
    const ms = this.#clock.monotonic() - this.#since;
    const rate = bytesDone / Math.max(1, ms);
    const left = rate > 0 ? `, ${formatDuration((bytes - bytesDone) / rate)} left` : "";
    const line = `${drawBar(share)} ${far}, ${formatSize(Math.round(rate * 1000))}/s${left}`;
    this.#drawing.show([cutText(line, this.#terminal.size().columns - 1)]);
  }

  clear(): void {
    this.#drawing.clear();
  }
}
