// What is read out of /proc about who closes.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findClosing, parseEnd, threadGroupOf } from "../../../src/fuse/closing.ts";
import { findMountAt, parseMountinfo } from "../../../src/fuse/mountinfo.ts";
import { parseStatus } from "../../../src/fuse/process-status.ts";

const LIVE = `Name:	python3
Umask:	0022
State:	S (sleeping)
Tgid:	8410
Pid:	8412
Uid:	1000	1000	1000	1000
VmSize:	   20000 kB
Threads:	3
SigPnd:	0000000000000000
ShdPnd:	0000000000000000
CapEff:	000001ffffffffff
`;
const IN_EXIT = LIVE.replace(/^VmSize.*\n/m, "");

/** A line of /proc/PID/stat with the fields that count: the name is made to confuse. */
function stat(exitCode: number, flags = 4194564): string {
  const fields = Array.from({ length: 50 }, () => "0");
  fields[0] = "Z";
  fields[6] = String(flags);
  fields[49] = String(exitCode);
  return `8412 (a) b (c) ${fields.join(" ")}`;
}

describe("parseStatus", () => {
  it("tells a live closer from one in exit by its memory", () => {
    expect(parseStatus(LIVE)).toMatchObject({ tgid: 8410, uid: 1000, isInExit: false });
    expect(parseStatus(IN_EXIT)).toMatchObject({ tgid: 8410, isInExit: true, threadCount: 3 });
  });

  it("knows nothing of what is not a status", () => {
    expect(parseStatus("")).toBeUndefined();
  });
});

describe("parseEnd", () => {
  const of = (text: string) => {
    const status = parseStatus(text);
    if (status === undefined) throw new Error("No status");
    return status;
  };

  it("takes the signal from the exit code, where it is shown", () => {
    expect(parseEnd(stat(9), of(IN_EXIT), true)).toBe("killed");
    expect(parseEnd(stat(0x8b), of(IN_EXIT), true)).toBe("killed"); // SIGSEGV with a core
    expect(parseEnd(stat(0), of(IN_EXIT), true)).toBe("exited");
    expect(parseEnd(stat(0x100), of(IN_EXIT), true)).toBe("exited"); // exit(1)
  });

  it("takes it from the pending signals, where it is not shown", () => {
    const pending = (mask: string) => of(IN_EXIT.replace(/^ShdPnd.*$/m, `ShdPnd:	${mask}`));
    expect(parseEnd(stat(0), pending("0000000000000100"), false)).toBe("killed");
    expect(parseEnd(stat(0), pending("0000000000004000"), false)).toBe("killed");
    expect(parseEnd(stat(0), pending("0000000000010000"), false)).toBe("exited"); // SIGCHLD
  });

  it("believes the flag of a signal only in processes with one thread", () => {
    const single = of(IN_EXIT.replace(/^Threads.*$/m, "Threads:	1"));
    expect(parseEnd(stat(0, 0x400), single, false)).toBe("killed");
    expect(parseEnd(stat(0, 0x400), of(IN_EXIT), false)).toBe("exited");
  });

  it("says unknown to what it cannot read", () => {
    expect(parseEnd("", of(IN_EXIT), true)).toBe("unknown");
  });
});

describe("findClosing", () => {
  /** A file that this process holds, as the kernel would name it: this test file itself. */
  const path = new URL(import.meta.url).pathname;
  const file = () => {
    const { ino, dev } = statSync(path);
    return { ino, device: `${dev >> 8}:${dev & 0xff}` };
  };

  it("sees another descriptor of the file in the closing process, and only there", async () => {
    const without = await findClosing(process.pid, file());
    const fd = openSync(path, "r");
    const withOne = await findClosing(process.pid, file());
    closeSync(fd);
    expect(without).toEqual({ end: "live", tgid: process.pid, heldElsewhere: false });
    expect(withOne).toEqual({ end: "live", tgid: process.pid, heldElsewhere: true });
  });

  it("is not misled by the same number on another device", async () => {
    const fd = openSync(path, "r");
    const closing = await findClosing(process.pid, { ...file(), device: "0:99999" });
    closeSync(fd);
    expect(closing.heldElsewhere).toBe(false);
  });

  it("knows nothing of process 0 and of processes that are gone", async () => {
    const unknown = { end: "unknown", tgid: undefined, heldElsewhere: undefined };
    const child = spawn("true");
    await once(child, "exit");
    expect(await findClosing(0, file())).toEqual(unknown);
    expect(await findClosing(child.pid ?? 0, file())).toEqual(unknown);
  });

  it("finds the thread group of a thread", async () => {
    expect(await threadGroupOf(process.pid)).toBe(process.pid);
    expect(await threadGroupOf(0)).toBeUndefined();
  });
});

describe("mountinfo", () => {
  const text = `22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw
42 27 0:39 / /mnt/a\\040b rw,nosuid,nodev,relatime - fuse.kodomount kodo://bucket/pre\\040fix rw,user_id=0
43 27 0:40 / /mnt/a\\040b rw - tmpfs tmpfs rw
`;

  it("is read with its escapes, with and without optional fields", () => {
    expect(parseMountinfo(text)[1]).toEqual({
      id: 42,
      device: "0:39",
      dir: "/mnt/a b",
      type: "fuse.kodomount",
      source: "kodo://bucket/pre fix",
    });
  });

  it("gives what was mounted last at a place", () => {
    expect(findMountAt(text, "/mnt/a b")?.type).toBe("tmpfs");
    expect(findMountAt(text, "/mnt")).toBeUndefined();
  });
});
