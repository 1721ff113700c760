// `kodomount doctor`: looks at everything that a mount needs, and says what to do where something is wrong.

import { Command, Option } from "commander";
import type { MountFlags } from "../config/mod.ts";
import type { Context } from "./context.ts";
import { showFindings } from "./doctor/finding.ts";
import { EXIT_FAILED } from "./terminal.ts";

const HELP = `
Keys come from where 'mount' takes them. In the bucket one object of 64 bytes is made, under a name that begins with
'.kodomount-probe-', and deleted again; the output says so. In the state directory a file is made and removed.
Exits with 1 when something is wrong.
`;

/** The command. */
export function doctorCommand(context: Context): Command {
  const command = new Command("doctor")
    .summary("look at everything that a mount needs, and say what to do")
    .description(
      "Looks at this machine, at what earlier mounts have left on it, and for each SOURCE at the way to the store, the clock, the keys, and the disk of the state directory.",
    )
    .argument("[source...]", "[s3://]BUCKET[/PREFIX], with options as for 'mount'")
    .option("--json", "for programs: an object");
  for (const option of options()) command.addOption(option);
  return command
    .addHelpText("after", HELP)
    .action(async (sources: string[], flags: MountFlags & { json?: boolean }) => {
      const { json, ...rest } = flags;
      // It needs the store's client: no other command is to wait for that to load.
      const { examine } = await import("./doctor/examine.ts");
      const findings = await examine(context, sources, rest);
      const isWrong = findings.some(({ verdict }) => verdict === "fail");
      context.terminal.out(
        json === true ? `${JSON.stringify({ ok: !isWrong, findings })}\n` : showFindings(findings),
      );
      if (isWrong) context.exitCode = EXIT_FAILED;
    });
}

function options(): Option[] {
  return [
    new Option("--endpoint <url>", "the store, as for 'mount'"),
    new Option("--provider <name>", "kodo, aws or generic"),
    new Option("--region <name>", "where the endpoint does not tell"),
    new Option("--profile <name>", "of ~/.aws/credentials"),
    new Option("--state-dir <dir>", "as for 'mount'; with one source only"),
    new Option("--spill-limit <size>", "as for 'mount'"),
    new Option("--allow-http", "allow an endpoint without encryption that is not on this machine"),
  ];
}
