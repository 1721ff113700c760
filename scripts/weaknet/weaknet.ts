// The weak link of weaknet.c, for the benchmark and for a test: built when it is first needed, and started.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";

const SOURCES = ["weaknet.c", "link.c", "net.c"].map((name) => join(import.meta.dirname, name));
/** Ours are at these ends of the link. */
export const SERVER = "198.18.0.2";

export interface Link {
  /** As weaknet.c's `--rate`: `200mbit`. */
  readonly rate: string;
  /** One way: `20ms`. */
  readonly delay: string;
  /** Percent of packets. */
  readonly loss?: number;
  /** `WHEN+DURATION`, as weaknet.c's. */
  readonly outage?: string;
  readonly resetEvery?: string;
  /** Congestion control of both ends; the system's when absent. */
  readonly congestion?: string;
  readonly seed?: number;
}

/** What the link has seen, as it writes it. */
export interface LinkStats {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly flows: number;
  readonly resets: number;
  readonly outages: number;
  /** TCP payload upwards, what the kernel has sent again not counted. */
  readonly sentOnce: number;
  readonly up: { readonly bytes: number; readonly tcpBytes: number; readonly queueDrops: number };
}

/**
 * The program, built in `dir` unless it is there already.
 * @returns the reason, as `why`, where there can be none.
 */
export function buildWeaknet(
  dir: string,
): { program: string; why?: never } | { program?: never; why: string } {
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
  } catch {
    return { why: "/dev/net/tun cannot be opened" };
  }
  if (spawnSync("unshare", ["--net", "true"]).status !== 0)
    return { why: "network namespaces are not allowed" };
  const program = join(dir, "weaknet");
  if (isNewer(program)) return { program };
  const { status, error, stderr } = spawnSync("cc", ["-O2", "-o", program, ...SOURCES], {
    encoding: "utf8",
  });
  if (error !== undefined) return { why: "there is no C compiler: install gcc and libc6-dev" };
  return status === 0 ? { program } : { why: `cc cannot build weaknet: ${stderr.slice(0, 300)}` };
}

/** Starts `command` behind a link to `server`, once that listens on `readyPort`. */
export function startWeaknet(
  program: string,
  link: Link,
  request: {
    readonly server: string;
    readonly readyPort: number;
    readonly command: readonly string[];
    readonly stats: string;
    readonly control?: string;
    readonly env?: NodeJS.ProcessEnv;
  },
): ChildProcess {
  const { server, readyPort, command, stats, control, env } = request;
  const options: Record<string, string | undefined> = {
    rate: link.rate,
    delay: link.delay,
    loss: link.loss?.toString(),
    outage: link.outage,
    "reset-every": link.resetEvery,
    cc: link.congestion,
    seed: link.seed?.toString(),
    server,
    "wait-port": String(readyPort),
    stats,
    ctl: control,
  };
  const args = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  return spawn(program, [...args, "--", ...command], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
}

function isNewer(program: string): boolean {
  const madeAt = statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return SOURCES.every((source) => statSync(source).mtimeMs < madeAt);
}
