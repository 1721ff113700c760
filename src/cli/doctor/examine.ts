// All that the doctor looks at, in the order in which a user would put it right.

import path from "node:path";
import { codeOf, KodomountError, silentLog, systemClock, toError } from "../../base/mod.ts";
import {
  formatSource,
  loadMountConfig,
  type MountConfig,
  type MountFlags,
  parseSource,
} from "../../config/mod.ts";
import { createS3Store, withRetry } from "../../store/mod.ts";
import type { Context } from "../context.ts";
import { toStoreOptions } from "../store-options.ts";
import { checkDisk } from "./disk.ts";
import { checkEndpoint } from "./endpoint.ts";
import { type Finding, fail, type Said } from "./finding.ts";
import { checkKeys } from "./keys.ts";
import { checkLeftovers } from "./leftovers.ts";
import { checkMachine, thisMachine } from "./machine.ts";

/** A request that fails this long is not a hiccup. */
const DEADLINE_MS = 5000;

/** @throws `Config` for a source or options that make no sense. */
export async function examine(
  context: Context,
  sources: readonly string[],
  flags: MountFlags,
): Promise<Finding[]> {
  for (const source of sources) parseSource(source);
  if (flags.stateDir !== undefined && sources.length !== 1)
    throw new KodomountError(
      "Config",
      "Cannot use '--state-dir' without a source, or with several: each source has its own",
    );
  const findings = about("machine", await checkMachine(thisMachine()));
  const stateDirs: string[] = [];
  for (const source of sources) {
    const { said, stateDir } = await examineSource(context, source, flags);
    findings.push(...about(formatSource(parseSource(source)), said));
    if (stateDir !== undefined) stateDirs.push(stateDir);
  }
  return [...findings, ...about("leftovers", await checkLeftovers(context, stateDirs))];
}

function about(what: string, said: readonly Said[]): Finding[] {
  return said.map((each) => ({ about: what, ...each }));
}

async function examineSource(
  context: Context,
  source: string,
  flags: MountFlags,
): Promise<{ said: Said[]; stateDir?: string }> {
  let config: MountConfig;
  try {
    // Of the mount point nothing is asked.
    config = loadMountConfig(
      { source, dir: path.parse(context.around.cwd).root, flags },
      context.around,
    );
  } catch (error) {
    if (codeOf(error) !== "Config") throw error;
    return { said: [fail("options", toError(error).message, "see 'kodomount mount --help'")] };
  }
  const { stateDir } = config;
  const said = await checkEndpoint(config.endpoint, systemClock);
  if (!said.some(({ verdict, check }) => verdict === "fail" && check !== "clock"))
    said.push(...(await examineStore(config)));
  return { said: [...said, ...(await checkDisk(config, systemClock))], stateDir };
}

async function examineStore(config: MountConfig): Promise<Said[]> {
  const tools = { clock: systemClock, log: silentLog };
  const plain = createS3Store(toStoreOptions(config), tools);
  try {
    return await checkKeys(withRetry(plain, { ...tools, deadlineMs: DEADLINE_MS }), config);
  } finally {
    plain.close();
  }
}
