// What /proc/PID/status tells of a process: the one file there, beside fdinfo and mountinfo, that may be read of any process
// at any moment (see closing.ts).

import { close, open, read } from "node:fs";
import { promisify } from "node:util";

/** Some 1.5 KB; the fields that matter come before those that grow with the machine. */
const STATUS_SIZE_MAX = 4096;

const openAsync = promisify(open);
const readAsync = promisify(read);
const closeAsync = promisify(close);

export interface ProcessStatus {
  /** As the kernel cuts it: 15 bytes. */
  readonly name: string;
  readonly tgid: number;
  /** Thread group of the parent, 0 without one. */
  readonly parent: number;
  readonly uid: number;
  readonly isInExit: boolean;
  readonly threadCount: number;
  /** Signals pending for the thread or its process. */
  readonly pending: bigint;
  readonly capabilities: bigint;
}

/** Undefined when /proc does not tell. */
export async function findStatus(pid: number): Promise<ProcessStatus | undefined> {
  if (pid === 0) return undefined; // a process that is not in our pid namespace
  const text = await readProc(`/proc/${pid}/status`, STATUS_SIZE_MAX);
  return text === undefined ? undefined : parseStatus(text);
}

/** The fields of /proc/PID/status that matter here. */
export function parseStatus(text: string): ProcessStatus | undefined {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(text)?.[1];
  const tgid = Number(field("Tgid"));
  if (!Number.isInteger(tgid) || tgid <= 0) return undefined;
  return {
    name: field("Name") ?? "",
    tgid,
    parent: Number(field("PPid") ?? 0),
    uid: Number(field("Uid")),
    isInExit: field("VmSize") === undefined,
    threadCount: Number(field("Threads") ?? 1),
    pending: BigInt(`0x${field("ShdPnd") ?? 0}`) | BigInt(`0x${field("SigPnd") ?? 0}`),
    capabilities: BigInt(`0x${field("CapEff") ?? 0}`),
  };
}

/** The first `sizeMax` bytes of a file in /proc. Node's `readFile` takes five turns of the thread pool for what are three. */
export async function readProc(path: string, sizeMax: number): Promise<string | undefined> {
  try {
    const fd = await openAsync(path, "r");
    try {
      const buffer = Buffer.allocUnsafe(sizeMax);
      const { bytesRead } = await readAsync(fd, buffer, 0, sizeMax, 0);
      return buffer.toString("latin1", 0, bytesRead);
    } finally {
      await closeAsync(fd);
    }
  } catch {
    return undefined; // gone, closed, or hidden from us: every caller has an answer for that
  }
}
