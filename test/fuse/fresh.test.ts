// A mount that keeps no listing: what other clients do shows at the next look of the kernel.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toKey } from "../../src/model/mod.ts";
import { bucketStore } from "../support/bucket-store.ts";
import { run } from "../support/mount.ts";
import { emulator, local, mount, mountAgain, mountBeforeEach, why } from "../support/mounted.ts";

mountBeforeEach("a mount without listings that are kept", ["--list-ttl", "0s"]);

/** The kernel believes for a second that a name is there: what is opened within it may be gone. */
const PROGRAM = `
import os, sys, time
d, gone = sys.argv[1:3]
os.stat(d + "/f"); os.stat(d + "/g")
open(gone, "w").close()
while os.path.exists(gone): time.sleep(0.005)
fd = os.open(d + "/f", os.O_CREAT | os.O_WRONLY)
os.write(fd, b"made again"); os.close(fd)
try: os.open(d + "/g", os.O_RDONLY); print("opened")
except FileNotFoundError: print("not there")
`;

describe.skipIf(why !== undefined)(
  "S7.6 what was deleted by another client since it was looked up",
  () => {
    test("regression: is made by open with O_CREAT, and is not there for open without", async () => {
      using store = bucketStore(emulator);
      await writeFile(join(mount.dir, "f"), "first");
      await writeFile(join(mount.dir, "g"), "first");
      await mountAgain();
      const gone = join(local, "gone");
      const program = run("python3", ["-c", PROGRAM, mount.dir, gone]);
      await expect.poll(() => run("test", ["-e", gone]).then(({ code }) => code)).toBe(0);
      await store.delete(toKey("f"));
      await store.delete(toKey("g"));
      await run("rm", [gone]);
      expect(await program).toMatchObject({ code: 0, stdout: "not there\n", stderr: "" });
      await mountAgain();
      expect((await run("cat", [join(mount.dir, "f")])).stdout).toBe("made again");
    });
  },
);
