// What the kernel still has to deliver of what was written to a socket. Node sees a piece as written when the kernel has
// taken it; on a slow link megabytes then wait in the kernel, and a request that moves looks like one that does not.

import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import type { Clock } from "../base/mod.ts";

/** The kernel walks its whole table for a reading, some milliseconds: requests that look at the same time share one. */
const FRESH_MS = 300;

/** Bytes by connection, as `portsOf` names it. */
type Queues = ReadonlyMap<string, number>;

interface Reading {
  readonly at: number;
  readonly queues: Promise<Queues>;
}

export class SendQueues {
  readonly #clock: Clock;
  readonly #readings = new Map<string, Reading>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Bytes that the peer has not acknowledged yet; undefined where the kernel does not tell. */
  async of(socket: Socket): Promise<number | undefined> {
    const { localPort, remotePort, remoteFamily } = socket;
    if (localPort === undefined || remotePort === undefined) return undefined;
    const queues = await this.#read(remoteFamily === "IPv6" ? "tcp6" : "tcp");
    return queues.get(portsOf(localPort, remotePort));
  }

  #read(name: string): Promise<Queues> {
    const now = this.#clock.monotonic();
    const last = this.#readings.get(name);
    if (last !== undefined && now - last.at < FRESH_MS) return last.queues;
    // Without /proc only Node's own counters are left, which are enough on any link but a very slow one.
    const queues = readFile(`/proc/self/net/${name}`, "latin1").then(parseSendQueues, () => NONE);
    this.#readings.set(name, { at: now, queues });
    return queues;
  }
}

const NONE: Queues = new Map();
const LINE = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]{2} ([0-9A-F]{8}):/gm;

/** The `tx_queue` of each connection in a table like /proc/net/tcp. */
export function parseSendQueues(table: string): Queues {
  const queues = new Map<string, number>();
  for (const [, local = "", remote = "", queue = ""] of table.matchAll(LINE))
    queues.set(portsOf(hex(local), hex(remote)), hex(queue));
  return queues;
}

/** How `parseSendQueues` names a connection. */
export function portsOf(localPort: number, remotePort: number): string {
  return `${localPort}:${remotePort}`;
}

function hex(digits: string): number {
  return Number.parseInt(digits, 16);
}
