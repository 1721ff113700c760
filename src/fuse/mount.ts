// Mounts a `Filesystem` by the kernel's own protocol, as root, without libfuse: /dev/fuse is opened here, mount(8) ties it
// to the directory, a session answers.

import { realpath, stat } from "node:fs/promises";
import { type Background, KodomountError, type Log } from "../base/mod.ts";
import type { Filesystem } from "../fs/mod.ts";
import { findClosing, isEnding } from "./closing.ts";
import { runCommand } from "./command.ts";
import { Device } from "./device.ts";
import type { Negotiated } from "./init.ts";
import { raiseReadAhead } from "./kernel-read-ahead.ts";
import { mountAt } from "./mount-point.ts";
import { READER_COUNT, Session } from "./session.ts";

const COMMAND_MS = 30_000;
/** Node's own number when UV_THREADPOOL_SIZE does not say. */
const POOL_SIZE_DEFAULT = 4;

export interface MountOptions {
  readonly filesystem: Filesystem;
  /** An empty directory: see `inspectMountPoint`. */
  readonly dir: string;
  /** What `df` and /proc/mounts show as the device. */
  readonly source: string;
  /** Lets users other than root in. */
  readonly allowOther: boolean;
  readonly readOnly: boolean;
  readonly log: Log;
  readonly background: Background;
}

export interface FuseMount {
  /** What the kernel agreed to at INIT. */
  readonly negotiated: Negotiated;
  /** Resolves when the filesystem is unmounted, by whomever, and nothing is in progress any more. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * Unmounts and waits for `closed`. Must be done before the process exits: threads that wait for requests keep it alive.
   * @param options.force when files are open: detach the directory, and end the connection under those who use them.
   * @throws `Busy` when files are open and `force` is not given.
   */
  unmount(options?: { readonly force?: boolean }): Promise<void>;
}

/**
 * Mounts; resolves when the mount answers.
 * @throws `Config` when the kernel, the device or mount(8) refuses, with what to do about it.
 */
export async function mountFuse(options: MountOptions): Promise<FuseMount> {
  assertPoolSize();
  const dir = await realpath(options.dir);
  const device = Device.open(options.log);
  const mounted = await mountDevice(device, dir, options).catch((error: unknown) => {
    device.close();
    throw error;
  });
  const { filesystem, log, background } = options;
  const context = {
    filesystem,
    findClosing: (pid: number, ino: number) => findClosing(pid, { ino, device: mounted }),
    isEnding,
  };
  const session = new Session({ device, context, log, background });
  const { closed } = session;
  try {
    const negotiated = await session.negotiated;
    await firstStat(dir);
    await raiseReadAhead(mounted, log);
    return { negotiated, closed, unmount: ({ force = false } = {}) => unmount(dir, closed, force) };
  } catch (error) {
    await unmount(dir, closed, true);
    throw error;
  }
}

/** Not synchronous: it is answered by this very thread. */
async function firstStat(dir: string): Promise<void> {
  try {
    await stat(dir);
  } catch (error) {
    throw new KodomountError("Io", `Mounted on ${dir}, but its root cannot be read`, {
      cause: error,
    });
  }
}

/** Ties the device to the directory; returns the number (`0:42`) that files there have as theirs. */
async function mountDevice(device: Device, dir: string, options: MountOptions): Promise<string> {
  const settings = [
    "fd=3,rootmode=40000,user_id=0,group_id=0,subtype=kodomount",
    // The kernel checks modes and owners, which come from the bucket: who may write there must not become root here.
    "default_permissions,nosuid,nodev",
    ...(options.allowOther ? ["allow_other"] : []),
    ...(options.readOnly ? ["ro"] : []),
  ];
  const args = ["-i", "-t", "fuse", "-o", settings.join(","), "--", options.source, dir];
  const { status, stderr } = await runCommand("mount", args, {
    timeoutMs: COMMAND_MS,
    fd: device.fd,
  });
  const mounted = status === 0 ? await mountAt(dir) : undefined;
  if (mounted === undefined)
    throw new KodomountError(
      "Config",
      `Cannot mount on ${dir}: mounting needs root, in a container also --cap-add SYS_ADMIN (${stderr.trim()})`,
    );
  return mounted.device;
}

async function unmount(dir: string, closed: Promise<void>, force: boolean): Promise<void> {
  const { status, stderr } = await umount([dir]);
  if (status !== 0 && (await mountAt(dir)) !== undefined) {
    if (!force) throw refusal(dir, stderr);
    // -f ends the connection: whoever waits for an answer gets an error. -l takes the directory away all the same.
    const forced = await umount(["-f", "-l", dir]);
    if (forced.status !== 0) throw refusal(dir, forced.stderr);
  }
  await closed;
}

function umount(args: readonly string[]): ReturnType<typeof runCommand> {
  return runCommand("umount", ["-i", ...args], { timeoutMs: COMMAND_MS });
}

function refusal(dir: string, why: string): KodomountError {
  if (why.includes("busy"))
    return new KodomountError(
      "Busy",
      `Cannot unmount ${dir}: files in it are open, or a program works in it; end those (fuser -vm ${dir} lists them) and try again`,
    );
  return new KodomountError("Io", `Cannot unmount ${dir}: ${why.trim()}`);
}

/** The readers each take a thread for good; with none left nothing here could ever touch a file. */
function assertPoolSize(): void {
  const size = Number(process.env["UV_THREADPOOL_SIZE"] ?? POOL_SIZE_DEFAULT);
  if (size < READER_COUNT + 2)
    throw new KodomountError(
      "Config",
      `Cannot mount as 'UV_THREADPOOL_SIZE' must be >= ${READER_COUNT + 2}: received ${size}`,
    );
}
