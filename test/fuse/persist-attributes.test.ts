// `--persist-attributes copy` as a user gives it: what is set late is there for another machine.

import { describe, expect, test } from "vitest";
import { until } from "../support/mount.ts";
import { emulator, mount, mountAgain, mountBeforeEach, python, why } from "../support/mounted.ts";

mountBeforeEach("--persist-attributes", ["--persist-attributes", "copy"]);

describe.skipIf(why !== undefined)("--persist-attributes copy", () => {
  test("S6.8 unmount waits for attributes that were set a moment ago; another machine sees them", async () => {
    await python(`
content = os.urandom(20_000_000)
for name in ("/late", "/early"):
    with open(d + name, "wb") as f: f.write(content)
os.chmod(d + "/late", 0o640)
os.chown(d + "/late", 12, 34)
os.utime(d + "/late", (1_000_000_000, 1_000_000_000.5))
os.setxattr(d + "/late", "user.x", b"1")
`);
    await mountAgain();
    await python(`
s = os.stat(d + "/late")
assert (s.st_mode, s.st_uid, s.st_gid, s.st_mtime) == (0o100640, 12, 34, 1_000_000_000.5), s
assert os.getxattr(d + "/late", "user.x") == b"1"
assert open(d + "/late", "rb").read() == open(d + "/early", "rb").read()
`);
    const copies = emulator.requests().filter(({ kind }) => kind === "CopyObject");
    // A save that took long enough for its last write to be in another second is copied, too, for its mtime.
    expect(copies.filter(({ key }) => key === "late")).toHaveLength(1);
    expect(copies.filter(({ key }) => key === "early").length).toBeLessThanOrEqual(1);
  });

  test.each(["copy.done", "want.done"])(
    "S6.8 the mount is killed at %s: the next one settles it by a look, and copies nothing again",
    async (step) => {
      await mount.unmount();
      await mount.start({ KODOMOUNT_KILL_AT: step });
      await python(`
with open(d + "/f", "wb") as f: f.write(b"x" * 20_000_000)
os.chmod(d + "/f", 0o640)
`);
      await mount.died();
      await mount.start();
      await until("nothing is pending", async () => (await mount.status()).pending.length === 0);
      await python(`
assert os.stat(d + "/f").st_mode == 0o100640
assert open(d + "/f", "rb").read() == b"x" * 20_000_000
`);
      const kinds = emulator.requests().map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === "CopyObject")).toHaveLength(1);
    },
  );
});
