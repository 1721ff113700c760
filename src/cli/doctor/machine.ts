// Whether this machine can mount: kernel, device, rights, programs, limits.

import { constants } from "node:fs";
import { access, open, readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { errnoOf } from "../../base/mod.ts";
import { fail, note, ok, type Said } from "./finding.ts";

/** What is looked at; a parameter, so that tests can be on any machine. */
export interface Machine {
  readonly release: string;
  readonly nodeVersion: string;
  readonly isRoot: boolean;
  readonly searchPath: string;
  /** @throws as `fs.open`. */
  tryDevice(): Promise<void>;
  /** Text of a file below /proc; undefined: it cannot be read. */
  read(file: string): Promise<string | undefined>;
  hasProgram(file: string): Promise<boolean>;
}

/** FUSE 7.31, which mounting needs. */
const KERNEL_MIN = [5, 4] as const;
/** With it the kernel asks again what a dead process has not answered. */
const KERNEL_RESEND = [6, 9] as const;
const NODE_MIN = [20, 19] as const;
/** Spill files, connections, the catalog's tables, with room. */
const OPEN_FILES_MIN = 1024;
const CAP_SYS_ADMIN = 21n;

export function thisMachine(): Machine {
  return {
    release: os.release(),
    nodeVersion: process.versions.node,
    isRoot: process.getuid?.() === 0,
    searchPath: process.env["PATH"] ?? "",
    async tryDevice() {
      await (await open("/dev/fuse", "r+")).close();
    },
    read: (file) => readFile(file, "utf8").catch(() => undefined),
    hasProgram: (file) =>
      access(file, constants.X_OK).then(
        () => true,
        () => false,
      ),
  };
}

export async function checkMachine(machine: Machine): Promise<Said[]> {
  return [
    checkKernel(machine.release),
    checkNode(machine.nodeVersion),
    await checkDevice(machine),
    await checkRights(machine),
    ...(await checkPrograms(machine)),
    await checkLimits(machine),
  ];
}

function checkKernel(release: string): Said {
  const version = versionOf(release);
  if (isBelow(version, KERNEL_MIN))
    return fail("kernel", `Linux ${release} is too old for FUSE 7.31`, "use Linux 5.4 or newer");
  const resend = isBelow(version, KERNEL_RESEND)
    ? "FUSE 7.31 or newer; it does not repeat requests that a dead process has left"
    : "FUSE 7.40 or newer; it can repeat requests that a dead process has left";
  return ok("kernel", `Linux ${release}: ${resend}`);
}

function checkNode(version: string): Said {
  return isBelow(versionOf(version), NODE_MIN)
    ? fail("node", `Node ${version} is too old`, "use Node 20.19 or newer")
    : ok("node", `Node ${version}`);
}

async function checkDevice(machine: Machine): Promise<Said> {
  try {
    await machine.tryDevice();
    return ok("/dev/fuse", "can be opened");
  } catch (error) {
    const errno = errnoOf(error) ?? String(error);
    const advice =
      errno === "ENOENT" || errno === "ENODEV"
        ? "load the module (modprobe fuse); in a container pass '--device /dev/fuse'"
        : "run as root; in a container pass '--device /dev/fuse --cap-add SYS_ADMIN'";
    return fail("/dev/fuse", `cannot be opened (${errno})`, advice);
  }
}

async function checkRights({ isRoot, read }: Machine): Promise<Said> {
  if (!isRoot) return fail("rights", "this user is not root", "mounting needs root: use sudo");
  const [, hex] = /^CapEff:\s*([0-9a-f]+)/m.exec((await read("/proc/self/status")) ?? "") ?? [];
  if (hex !== undefined && ((BigInt(`0x${hex}`) >> CAP_SYS_ADMIN) & 1n) === 0n)
    return fail(
      "rights",
      "root, but not allowed to mount (no CAP_SYS_ADMIN)",
      "in a container pass '--cap-add SYS_ADMIN'",
    );
  return ok("rights", "may mount");
}

async function checkPrograms(machine: Machine): Promise<Said[]> {
  const missing: string[] = [];
  for (const name of ["mount", "umount"]) if (!(await isThere(machine, name))) missing.push(name);
  const needed =
    missing.length === 0
      ? ok("programs", "mount and umount are there")
      : fail(
          "programs",
          `${missing.join(" and ")} cannot be found`,
          "install the package 'mount', or mend PATH",
        );
  const fusermount =
    (await isThere(machine, "fusermount3")) || (await isThere(machine, "fusermount"));
  return [
    needed,
    ok("fusermount", `${fusermount ? "is there" : "is not there"}; kodomount does not use it`),
  ];
}

async function isThere({ searchPath, hasProgram }: Machine, name: string): Promise<boolean> {
  for (const dir of searchPath.split(":"))
    if (dir.startsWith("/") && (await hasProgram(path.join(dir, name)))) return true;
  return false;
}

async function checkLimits({ read }: Machine): Promise<Said> {
  const limits = (await read("/proc/self/limits")) ?? "";
  const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
  if (hard === undefined) return note("open files", "the limit cannot be read");
  // Node takes all that it may have.
  if (hard !== "unlimited" && Number(hard) < OPEN_FILES_MIN)
    return fail(
      "open files",
      `a process may have ${hard} open`,
      `raise the hard limit to ${OPEN_FILES_MIN} or more ('ulimit -Hn', LimitNOFILE= of systemd)`,
    );
  return ok("open files", `a process may have ${hard} open (${soft} without asking)`);
}

function versionOf(text: string): readonly [number, number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}

function isBelow(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}
