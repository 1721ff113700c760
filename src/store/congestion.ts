// Which congestion control a connection has. Most systems' takes a lost packet for a full link: at 1 % loss and 40 ms a
// connection then has 3.5 Mbit/s of any link. BBR measures the link instead, and fills it with a few connections. It needs
// the addon in native/, and a kernel that allows it; without either the system's is kept.

import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { NEAR_MS } from "./near.ts";

export type Congestion = "bbr" | "system";

/** From src/store as from dist/store. */
const ADDON = new URL("../../native/build/congestion.node", import.meta.url);

/** What the socket has after `name` was asked for; "" asks only. See native/congestion.c. */
type Choose = (fd: number, name: string) => string;
let choose: Choose | undefined | "absent";

/**
 * Gives an open connection what is wanted, as far as it can be had. One to a near store keeps the system's.
 * @returns whether it has one now that takes no loss for a full link.
 */
export function chooseCongestion(socket: Socket, wanted: Congestion, tripMs: number): boolean {
  choose ??= load() ?? "absent";
  const fd = descriptorOf(socket);
  if (choose === "absent" || fd === undefined) return false;
  const has = choose(fd, wanted === "bbr" && tripMs >= NEAR_MS ? "bbr" : "");
  return has.startsWith("bbr");
}

/** Where the addon was not built there is none. */
function load(): Choose | undefined {
  const loaded: { exports: { congestion?: Choose } } = { exports: {} };
  try {
    process.dlopen(loaded, fileURLToPath(ADDON));
  } catch {
    // Not built, or for another machine: it is not needed.
    return undefined;
  }
  return loaded.exports.congestion;
}

/** Node has it on the handle only. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown =
    typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}
