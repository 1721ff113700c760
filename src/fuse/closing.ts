// Who closes: looked up in /proc when a FLUSH comes. The order is not free. A process in execve(2) that closes a file of
// ours holds a lock until we answer; reading its /proc/PID/stat, or a link in /proc/PID/fd, waits for that lock, hence for
// ourselves. `status`, `fdinfo` and `mountinfo` do not (measured on 6.18). So `status` is first: with `VmSize` in it the
// process is not in exit, and `stat` is left alone; without, it is in exit, not in execve, and `stat` is safe.

import { readdir, readFile } from "node:fs/promises";
import { type Clock, groupsOf, systemClock } from "../base/mod.ts";
import type { Closing, End } from "../fs/mod.ts";
import { devicesOfMounts } from "./mountinfo.ts";
import { findStatus, type ProcessStatus, readProc } from "./process-status.ts";

/** Looking through more descriptors takes longer than a close should. */
const DESCRIPTORS_MAX = 4096;
/** One after the other takes three times as long. */
const LOOK_AT_ONCE = 32;
const LOOK_MS = 2000;
/** fdinfo of a file has some 70 bytes; those of other things do not interest. */
const FDINFO_SIZE_MAX = 512;
/** Of `stat`: one line. */
const STAT_SIZE_MAX = 4096;
const UNKNOWN: Closing = { end: "unknown", tgid: undefined, heldElsewhere: undefined };

/** SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM: by whom programs are killed, as bits of the masks in `status`. */
const KILLING_SIGNALS: bigint = [1n, 2n, 3n, 9n, 15n].reduce(
  (all, n) => all | (1n << (n - 1n)),
  0n,
);
/** Bit of `flags` in `stat`: the process was ended by a signal. */
const PF_SIGNALED = 0x400;
const CAP_SYS_PTRACE = 19n;

/** Which file is closed: its number on which device, as `st_dev` is written in mountinfo (`0:42`). */
export interface ClosedFile {
  readonly ino: number;
  readonly device: string;
}

/**
 * What /proc tells of the closing thread `pid`; everything unknown when it tells nothing, or not in time: another kernel
 * may have a lock more, and we would hold it ourselves. An INTERRUPT does not end the look: it comes at once for a process
 * that was killed, which is just what we want to know.
 */
export async function findClosing(
  pid: number,
  file: ClosedFile,
  clock: Clock = systemClock,
): Promise<Closing> {
  using limit = new Limit(clock);
  return await Promise.race([lookAt(pid, file), limit.reached]);
}

async function lookAt(pid: number, file: ClosedFile): Promise<Closing> {
  // Both at once, as a close waits for this: of a process in exit the second finds nothing.
  const [status, heldElsewhere] = await Promise.all([
    findStatus(pid),
    findHeldElsewhere(pid, file),
  ]);
  if (status === undefined) return UNKNOWN;
  const { tgid } = status;
  if (status.isInExit) return { end: await endOf(pid, status), tgid, heldElsewhere: undefined };
  return { end: "live", tgid, heldElsewhere };
}

/** Thread group of thread `pid`, or undefined when /proc does not tell. */
export async function threadGroupOf(pid: number): Promise<number | undefined> {
  return (await findStatus(pid))?.tgid;
}

/** Whether thread `pid` has got a signal that ends programs; true when /proc does not tell: nobody shall wait in vain. */
export async function isEnding(pid: number): Promise<boolean> {
  const status = await findStatus(pid);
  return status === undefined || (status.pending & KILLING_SIGNALS) !== 0n;
}

/**
 * How a process in exit ends, by its /proc/PID/stat.
 * @param mayLook false when the kernel shows us zeros in place of the exit code.
 */
export function parseEnd(stat: string, status: ProcessStatus, mayLook: boolean): End {
  // The second field, the name, may hold spaces and parentheses: the third begins after the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const exitCode = Number(fields[49]); // field 52
  const flags = Number(fields[6]); // field 9
  if (!Number.isInteger(exitCode) || !Number.isInteger(flags)) return "unknown";
  if (mayLook) return (exitCode & 0x7f) === 0 ? "exited" : "killed";
  if ((status.pending & KILLING_SIGNALS) !== 0n) return "killed";
  // In every thread of a process with several the flag is also set when it exits by itself.
  return status.threadCount === 1 && (flags & PF_SIGNALED) !== 0 ? "killed" : "exited";
}

async function endOf(pid: number, status: ProcessStatus): Promise<End> {
  const [stat, mayLook] = await Promise.all([
    readProc(`/proc/${pid}/stat`, STAT_SIZE_MAX),
    mayLookAt(status),
  ]);
  return stat === undefined ? "unknown" : parseEnd(stat, status, mayLook);
}

/** The kernel's rule for who may trace a process, which is also who sees its exit code. */
async function mayLookAt(status: ProcessStatus): Promise<boolean> {
  const own = await findStatus(process.pid);
  if (own === undefined) return false;
  return own.uid === status.uid || ((own.capabilities >> CAP_SYS_PTRACE) & 1n) === 1n;
}

/** The descriptor that is being closed is gone from /proc already: any one that is found is another. */
async function findHeldElsewhere(pid: number, file: ClosedFile): Promise<boolean | undefined> {
  const dir = `/proc/${pid}/fdinfo`;
  let descriptors: string[];
  try {
    descriptors = await readdir(dir);
  } catch {
    return undefined; // gone, or not ours to look at: the caller decides without
  }
  if (descriptors.length > DESCRIPTORS_MAX) return undefined;
  for (const some of groupsOf(descriptors, LOOK_AT_ONCE)) {
    const held = await Promise.all(some.map((fd) => isDescriptorOf(pid, `${dir}/${fd}`, file)));
    if (held.includes(true)) return true;
  }
  return false;
}

/** By fdinfo and not by stat: that would ask us for the attributes, in the middle of a close that waits for us. */
async function isDescriptorOf(pid: number, path: string, file: ClosedFile): Promise<boolean> {
  const info = await readProc(path, FDINFO_SIZE_MAX);
  if (info === undefined || numberOf(info, "ino") !== file.ino) return false;
  const mount = numberOf(info, "mnt_id");
  if (mount === undefined) return false;
  return (await deviceOf(mount, pid)) === file.device;
}

/** A process in a container sees the filesystem through another mount than we do: the device is the same. */
async function deviceOf(mount: number, pid: number): Promise<string | undefined> {
  const own = devicesOfMounts(await readWhole("/proc/self/mountinfo")).get(mount);
  if (own !== undefined) return own;
  return devicesOfMounts(await readWhole(`/proc/${pid}/mountinfo`)).get(mount);
}

function numberOf(info: string, name: string): number | undefined {
  const text = new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(info)?.[1];
  return text === undefined ? undefined : Number(text);
}

/** A file of /proc that may be of any length. */
async function readWhole(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch {
    return ""; // as above
  }
}

/** Ends a look that takes too long. */
class Limit {
  readonly reached: Promise<Closing>;
  readonly #done = new AbortController();

  constructor(clock: Clock) {
    this.reached = clock.sleep(LOOK_MS, this.#done.signal).then(
      () => UNKNOWN,
      () => UNKNOWN, // disposed of: the look was done in time, nobody asks
    );
  }

  [Symbol.dispose](): void {
    this.#done.abort();
  }
}
