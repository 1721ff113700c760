// What the transport tells of closes: by whom, how they end, and that nothing hangs meanwhile.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CANNOT_MOUNT, MemoryServer } from "../support/memory-server.ts";

if (CANNOT_MOUNT !== undefined)
  console.log(`test/fuse/transport-closes.test.ts is skipped: ${CANNOT_MOUNT}`);

let server: MemoryServer;

beforeEach(async () => {
  server = await MemoryServer.create();
});

afterEach(() => server.stop());

describe.skipIf(CANNOT_MOUNT !== undefined)("closes", () => {
  beforeEach(() => server.start());

  it("a waiting close ends at once by SIGINT, and the program goes on", async () => {
    const writer = await server.startPython(`
f = open("wait", "wb", buffering=0); f.write(b"x"); print("ready")
try: f.close()
except KeyboardInterrupt: print("interrupted")
`);
    await server.flush("wait");
    writer.kill("SIGINT");
    expect(await writer.ended).toBe(0);
    expect(writer.output()).toContain("interrupted");
  });

  it("a waiting close ends at once by SIGKILL", async () => {
    const writer = await server.startPython(
      `f = open("wait", "wb", buffering=0); f.write(b"x"); print("ready"); f.close()`,
    );
    await server.flush("wait");
    writer.kill("SIGKILL");
    expect(await writer.ended).toBe("SIGKILL");
  });

  it("other requests go on while a close waits", async () => {
    const writer = await server.startPython(
      `f = open("wait", "wb", buffering=0); f.write(b"x"); print("ready"); f.close()`,
    );
    await server.flush("wait");
    expect(await server.sh("echo fine > other && cat other && ls")).toBe("fine\nother\nwait\n");
    writer.kill("SIGKILL");
    await writer.ended;
  });

  it.each(["SIGKILL", "SIGTERM", "SIGSEGV"] as const)(
    "a writer that dies by %s is seen as killed, also with threads",
    async (signal) => {
      const writer = await server.startPython(`
import threading, time
f = open("f", "wb", buffering=0); f.write(b"x")
for _ in range(3): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
print("ready"); time.sleep(100)
`);
      writer.kill(signal);
      await writer.ended;
      const { closing } = await server.flush("f");
      expect(closing).toMatchObject({ end: "killed", tgid: writer.pid });
    },
  );

  it("a writer that exits without closing is seen as exited, also with threads", async () => {
    const script = (name: string) =>
      `import os, threading, time; f = os.open("${name}", os.O_CREAT | os.O_WRONLY); os.write(f, b"x")`;
    await server.python(`${script("single")}; os._exit(0)`);
    await server.python(`${script("many")}
for _ in range(8): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
os._exit(0)`);
    expect((await server.flush("single")).closing.end).toBe("exited");
    expect((await server.flush("many")).closing.end).toBe("exited");
  });

  it("closes of duplicates tell that the process still holds the file", async () => {
    await server.python(`
import os
f = open("f", "wb", buffering=0); f.write(b"x")
os.close(os.dup(f.fileno())); f.close()
g = open("g", "wb", buffering=0); g.write(b"x"); os.unlink("g")
os.close(os.dup(g.fileno())); g.close()
`);
    const held = async (name: string, count: number) =>
      (await server.flush(name, count)).closing.heldElsewhere;
    expect([await held("f", 1), await held("f", 2)]).toEqual([true, false]);
    expect([await held("g", 1), await held("g", 2)]).toEqual([true, false]);
  });

  it("a shell's redirection closes a duplicate first, and a child of it closes for itself", async () => {
    await server.sh("{ echo a; (:); echo b; } > f");
    const flushes = server.all("flush");
    const own = flushes[0]?.closing.tgid;
    const last = flushes.at(-1)?.closing;
    expect(last).toEqual({ end: "live", tgid: own, heldElsewhere: false });
    expect(flushes.filter(({ closing }) => closing.tgid !== own).length).toBeGreaterThan(0);
  });

  it("regression: execve(2) that closes a file is not waited for by our own look into /proc", async () => {
    await server.python(`
import os
f = os.open("f", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC); os.write(f, b"x")
os.execv("/bin/true", ["true"])
`);
    expect((await server.flush("f")).closing).toMatchObject({ end: "live", heldElsewhere: false });
  });

  it("readers send none", async () => {
    await server.sh("echo a > f && cat f f");
    await server.flush("f");
    await server.sh("cat f && echo b > last");
    await server.flush("last");
    const names = server.all("flush").map(({ name }) => name);
    expect(new Set(names)).toEqual(new Set(["f", "last"]));
    const writers = new Set(
      server
        .all("flush")
        .filter(({ name }) => name === "f")
        .map(({ closing }) => closing.tgid),
    );
    expect(writers.size).toBe(1);
  });
});
