// Mounting and unmounting, and the look at the directory before.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inspectMountPoint } from "../../src/fuse/mod.ts";
import { CANNOT_MOUNT, MemoryServer } from "../support/memory-server.ts";

if (CANNOT_MOUNT !== undefined)
  console.log(`test/fuse/transport-mounts.test.ts is skipped: ${CANNOT_MOUNT}`);

let server: MemoryServer;

beforeEach(async () => {
  server = await MemoryServer.create();
});

afterEach(() => server.stop());

describe.skipIf(CANNOT_MOUNT !== undefined)("unmounting", () => {
  it("ends the process, by whomever it is done", async () => {
    await server.start();
    await server.sh("echo a > f");
    server.ask({ kind: "unmount", force: false });
    expect(await server.exited).toBe(0);
    await server.start();
    await server.sh(`umount ${server.dir}`, "/");
    expect(await server.exited).toBe(0);
    expect(server.all("closed")[0]).toMatchObject({ openHandles: 0 });
  });

  it("is refused while files are open, and done when forced", async () => {
    await server.start();
    const writer = await server.startPython(
      `import time; f = open("f", "w"); print("ready"); time.sleep(100)`,
    );
    server.ask({ kind: "unmount", force: false });
    const { code, message } = await server.next("failed");
    expect([code, message]).toEqual(["Busy", expect.stringContaining("are open")]);
    server.ask({ kind: "unmount", force: true });
    expect(await server.exited).toBe(0);
    expect(await server.isMounted()).toBe(false);
    writer.kill("SIGKILL");
    await writer.ended;
  });

  it("by force ends a waiting close with an error", async () => {
    await server.start();
    const writer = await server.startPython(`
f = open("wait", "wb", buffering=0); f.write(b"x"); print("ready")
try: f.close()
except OSError: raise SystemExit(7)
`);
    await server.flush("wait");
    server.ask({ kind: "unmount", force: true });
    expect(await server.exited).toBe(0);
    expect(await writer.ended).toBe(7);
  });
});

describe.skipIf(CANNOT_MOUNT !== undefined)("inspectMountPoint", () => {
  it("refuses what cannot be mounted on, in a sentence", async () => {
    await writeFile(join(server.root, "file"), "");
    await expect(inspectMountPoint(join(server.root, "none"))).rejects.toMatchObject({
      code: "NotFound",
      message: expect.stringContaining("does not exist"),
    });
    await expect(inspectMountPoint(join(server.root, "file"))).rejects.toMatchObject({
      code: "Config",
      message: expect.stringContaining("not a directory"),
    });
    await expect(inspectMountPoint(server.root)).rejects.toMatchObject({
      code: "Config",
      message: expect.stringContaining("not empty"),
    });
    await expect(inspectMountPoint("/proc")).rejects.toMatchObject({
      code: "Config",
      message: expect.stringContaining("(proc) is mounted there already"),
    });
    expect(await inspectMountPoint(server.dir)).toEqual({ dir: server.dir, wasStale: false });
  });

  it("refuses where we have mounted already, and cleans up when the process there has died", async () => {
    await server.start();
    await expect(inspectMountPoint(server.dir)).rejects.toMatchObject({
      code: "Config",
      message: expect.stringContaining("kodomount has mounted kodo there already"),
    });
    server.kill();
    await server.exited;
    expect(await server.isMounted()).toBe(true);
    expect(await inspectMountPoint(server.dir)).toEqual({ dir: server.dir, wasStale: true });
    expect(await server.isMounted()).toBe(false);
  });
});
