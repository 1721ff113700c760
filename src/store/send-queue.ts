// What the kernel still has to deliver of what was written to a socket. Node sees a piece as written when the kernel has
// taken it; on a slow link megabytes then wait in the kernel, and a request that moves looks like one that does not.

import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import type { Clock } from "../base/mod.ts";

/** The kernel walks its whole table for a reading, some milliseconds: requests that look at the same time share one. */
const FRESH_MS = 500;

interface Reading {
  readonly at: number;
  readonly table: Promise<string>;
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
    const table = await this.#read(remoteFamily === "IPv6" ? "tcp6" : "tcp");
    return parseSendQueue(table, { localPort, remotePort });
  }

  #read(name: string): Promise<string> {
    const now = this.#clock.monotonic();
    const last = this.#readings.get(name);
    if (last !== undefined && now - last.at < FRESH_MS) return last.table;
    // Without /proc only Node's own counters are left, which are enough on any link but a very slow one.
    const table = readFile(`/proc/self/net/${name}`, "latin1").catch(() => "");
    this.#readings.set(name, { at: now, table });
    return table;
  }
}

/** The `tx_queue` of a connection in a table like /proc/net/tcp. */
export function parseSendQueue(
  table: string,
  ports: { localPort: number; remotePort: number },
): number | undefined {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
  const line = new RegExp(
    `^ *\\d+: [0-9A-F]+:${hex(ports.localPort)} [0-9A-F]+:${hex(ports.remotePort)} [0-9A-F]{2} ([0-9A-F]{8}):`,
    "m",
  );
  const found = line.exec(table)?.[1];
  return found === undefined ? undefined : Number.parseInt(found, 16);
}
