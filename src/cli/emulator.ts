// `kodomount emulator`: the embedded store on its own, for a demo or a try without an account.

import { randomBytes } from "node:crypto";
import path from "node:path";
import { Command } from "commander";
import { systemClock } from "../base/mod.ts";
import { parseCount } from "../config/mod.ts";
import type { Context } from "./context.ts";
import { createLog } from "./logger.ts";

const STDERR = 2;
const PORT_MAX = 65_535;

/** The command. */
export function emulatorCommand(context: Context): Command {
  return new Command("emulator")
    .summary("run a small S3 server on this machine, to try things with")
    .description(
      "Serves S3 on the loopback interface, with objects in DIR, behaving as Kodo does. Keys are KODO_ACCESS_KEY and KODO_SECRET_KEY, or made up and printed. Ctrl-C ends it; what is in DIR stays.",
    )
    .argument("<dir>", "where objects are kept")
    .option("--port <number>", "0: any free one", "9000")
    .option("--bucket <name>", "made if missing; may be repeated", collect)
    .option("--region <name>", "the region that requests must be signed for", "demo")
    .action(async (dir: string, flags: { port: string; bucket?: string[]; region: string }) => {
      const port = parseCount("'--port'", flags.port, { min: 0, max: PORT_MAX });
      await run(context, { ...flags, dir: path.resolve(context.around.cwd, dir), port });
    });
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

async function run(
  { terminal, around }: Context,
  options: { dir: string; port: number; bucket?: string[]; region: string },
): Promise<void> {
  const { dir, port, region, bucket: buckets = ["demo"] } = options;
  const { accessKeyId, secretAccessKey, made } = keys(around.env);
  const credentials = { kind: "static", accessKeyId, secretAccessKey } as const;
  const { startEmulator } = await import("../emulator/mod.ts");
  const log = createLog({ level: "warn", to: STDERR, credentials });
  const ended = signalled();
  const emulator = await startEmulator({
    dir,
    port,
    buckets,
    region,
    accessKeyId,
    secretAccessKey,
    clock: systemClock,
    log,
  });
  try {
    terminal.out(`The embedded store answers at ${emulator.endpoint}\n`);
    // Made up for this run alone: whoever sees this screen may use them.
    if (made)
      terminal.out(`export KODO_ACCESS_KEY=${accessKeyId} KODO_SECRET_KEY=${secretAccessKey}\n`);
    terminal.out(
      `kodomount mount s3://${buckets[0]} DIR --provider kodo --region ${region} --endpoint ${emulator.endpoint}\n`,
    );
    await ended;
  } finally {
    await emulator.stop();
  }
}

function keys(env: Readonly<Record<string, string | undefined>>): {
  accessKeyId: string;
  secretAccessKey: string;
  made: boolean;
} {
  const accessKeyId = env["KODO_ACCESS_KEY"];
  const secretAccessKey = env["KODO_SECRET_KEY"];
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey, made: false };
  return {
    accessKeyId: `demo-${randomBytes(4).toString("hex")}`,
    secretAccessKey: randomBytes(20).toString("hex"),
    made: true,
  };
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(name, () => resolve());
  });
}
