// A child process of a test that mounts a `MemoryFilesystem`. A test must not be the server of a mount that it touches: one
// synchronous call, and it waits for itself. What happens is told to the parent; the parent may ask to unmount.
//
// Files whose name begins with `wait` hold up their FLUSH until it is interrupted, those with `stall` their WRITEs until
// the parent says so (or they are interrupted).

import { Background, KodomountError, type Log, systemClock } from "../../src/base/mod.ts";
import type { Closing, Request } from "../../src/fs/mod.ts";
import { mountFuse } from "../../src/fuse/mod.ts";
import { MemoryFilesystem } from "./memory-filesystem.ts";

export type Told =
  | { kind: "mounted"; minor: number; flags: string }
  | { kind: "failed"; code: string; message: string }
  | { kind: "flush"; name: string; pid: number; closing: Closing }
  | { kind: "write"; name: string; length: number }
  | { kind: "release"; name: string }
  | { kind: "getxattr"; name: string }
  | { kind: "log"; level: string; message: string }
  | { kind: "unmounted" }
  | { kind: "closed"; openHandles: number; cpuMs: number };
export type Asked = { kind: "unmount"; force: boolean } | { kind: "go on" };

const tell = (told: Told): void => {
  if (process.connected) process.send?.(told);
};
const logAs =
  (level: string) =>
  (_fields: object, message: string): void =>
    tell({ kind: "log", level, message });
const log: Log = { debug() {}, info: logAs("info"), warn: logAs("warn"), error: logAs("error") };

let goOn = (): void => {};
const stalled = new Promise<void>((resolve) => {
  goOn = resolve;
});

function interruption(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const interrupted = (): void => reject(new KodomountError("Interrupted", "By a signal"));
    if (signal.aborted) interrupted();
    else signal.addEventListener("abort", interrupted);
  });
}

async function onFlush(name: string, closing: Closing, request: Request): Promise<void> {
  tell({ kind: "flush", name, pid: request.caller.pid, closing });
  if (name.startsWith("wait") && closing.end === "live") await interruption(request.signal);
}

async function onWrite(name: string, request: Request, length: number): Promise<void> {
  if (!name.startsWith("stall")) return;
  tell({ kind: "write", name, length });
  await Promise.race([stalled, interruption(request.signal)]);
}

async function run(dir: string, options: { sink?: boolean; allowOther?: boolean }): Promise<void> {
  const filesystem = new MemoryFilesystem({
    sink: options.sink ?? false,
    onFlush,
    onWrite,
    onRelease: (name) => tell({ kind: "release", name }),
    onGetxattr: (name) => tell({ kind: "getxattr", name }),
  });
  const mount = await mountFuse({
    filesystem,
    dir,
    source: "kodo",
    allowOther: options.allowOther ?? false,
    readOnly: false,
    log,
    background: new Background(log),
  });
  const unmount = async (force: boolean): Promise<void> => {
    await mount.unmount({ force });
    tell({ kind: "unmounted" });
  };
  const fail = (error: Error): void =>
    tell({
      kind: "failed",
      code: error instanceof KodomountError ? error.code : "Io",
      message: error.message,
    });
  process.on("message", (asked: Asked) => {
    if (asked.kind === "unmount") unmount(asked.force).catch(fail);
    else goOn();
  });
  process.on("disconnect", () => {
    unmount(true).catch(fail); // the test is gone
  });
  const { minor, flags } = mount.negotiated;
  tell({ kind: "mounted", minor, flags: flags.toString(16) });
  await mount.closed;
  const { user, system } = process.cpuUsage();
  tell({ kind: "closed", openHandles: filesystem.openHandles, cpuMs: (user + system) / 1000 });
  await systemClock.sleep(0);
  process.removeAllListeners("disconnect");
  if (process.connected) process.disconnect();
}

const [dir = "", options = "{}"] = process.argv.slice(2);
run(dir, JSON.parse(options)).catch((error: unknown) => {
  const code = error instanceof KodomountError ? error.code : "Io";
  tell({ kind: "failed", code, message: String(error) });
  process.exitCode = 1;
  if (process.connected) process.disconnect();
});
