// The command line: which commands there are, and what becomes of an error.

import path from "node:path";
import { Command, CommanderError } from "commander";
import type { Surroundings } from "../config/mod.ts";
import type { Context } from "./context.ts";
import { doctorCommand } from "./doctor.ts";
import { emulatorCommand } from "./emulator.ts";
import { mountCommand } from "./mount.ts";
import { Registry, registryDirectory } from "./registry.ts";
import { restoreCommand } from "./restore.ts";
import { salvageCommand } from "./salvage.ts";
import { serveCommand } from "./serve.ts";
import { statusCommand } from "./status.ts";
import { EXIT_OK, EXIT_USAGE, report, type Terminal } from "./terminal.ts";
import { unmountCommand } from "./unmount.ts";
import { uploadsCommand } from "./uploads.ts";
import { readVersion } from "./version.ts";
import { waitCommand } from "./wait.ts";
import { warmCommand } from "./warm.ts";

const HELP = `
Exit codes:
  0  it is done; for unmount and wait: everything that was closed is in the bucket
  1  it failed, or something is not in the bucket (it is named, and kept)
  2  the command line or the configuration is wrong; nothing was done
`;

/**
 * Runs one command to its end.
 * @param argv as in `process.argv`: interpreter, program, arguments.
 * @returns the exit code.
 */
export async function run(
  argv: readonly string[],
  terminal: Terminal,
  around: Surroundings,
): Promise<number> {
  const registry = new Registry(registryDirectory(around));
  const context: Context = { terminal, around, registry, exitCode: EXIT_OK };
  const [, program = "kodomount", ...given] = argv;
  // Called by mount(8), as /sbin/mount.kodomount SOURCE DIR -o OPTIONS.
  const args = path.basename(program).startsWith("mount.") ? ["mount", ...given] : given;
  try {
    await createProgram(context).parseAsync(args, { from: "user" });
    return context.exitCode;
  } catch (error) {
    // It has said what was wrong, or what was asked for (help, version), by itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    return report(terminal, error, isDebugging(args));
  }
}

function createProgram(context: Context): Command {
  const program = new Command("kodomount")
    .description(
      "Mounts a Qiniu Kodo (or S3) bucket as a directory; what is saved into it becomes a resumable, verified, crash-safe upload.",
    )
    .version(readVersion(), "--version")
    .addHelpText("after", HELP);
  for (const command of [
    mountCommand(context),
    unmountCommand(context),
    statusCommand(context),
    uploadsCommand(context),
    waitCommand(context),
    warmCommand(context),
    restoreCommand(context),
    doctorCommand(context),
    salvageCommand(context),
    emulatorCommand(context),
  ])
    program.addCommand(command);
  program.addCommand(serveCommand(context), { hidden: true });
  for (const command of withSubcommands(program)) speakAs(command, context.terminal);
  return program;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** Errors of the parser look like ours, and throw instead of ending the process. */
function speakAs(command: Command, terminal: Terminal): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => terminal.out(text),
    writeErr: (text) => terminal.err(text),
    // The value of an unknown option may be a key.
    outputError: (text, write) => {
      const sentence = text.replace(/^error: /, "").replace(/=[^']*'/, "'");
      const line = sentence
        .trim()
        .replace(/\s*\n\s*/g, " ")
        .replace(/\.$/, "");
      write(`kodomount: ${line}; see 'kodomount ${nameOf(command)}--help'\n`);
    },
  });
}

function nameOf(command: Command): string {
  const parent = command.parent;
  return parent === null ? "" : `${nameOf(parent)}${command.name()} `;
}

/** Whether `--log` asks for everything: the same then goes for what a command says. */
function isDebugging(args: readonly string[]): boolean {
  const at = args.findIndex((arg) => arg === "--log" || arg.startsWith("--log="));
  const value = args[at] === "--log" ? args[at + 1] : args[at]?.slice("--log=".length);
  return value !== undefined && /^debug(:|$)/.test(value);
}
