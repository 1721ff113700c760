// User extended attributes: Linux's errors, and where they are kept.

import { describe, expect, test } from "vitest";
import { toKey } from "../../src/model/mod.ts";
import { again, begin, endWorldAfterEach, world } from "../support/scene.ts";
import { drained, randomContent, request } from "../support/world.ts";

const BUSY = { kind: "status", status: 503, code: "SlowDown" } as const;
const NAME = Buffer.from("user.note");

endWorldAfterEach();

function relax(): void {
  for (const order of world.emulator.orders()) order.cancel();
}

describe("S6.6 extended attributes", () => {
  const text = (value: string): { bytes: Buffer; mode: "set" } => ({
    bytes: Buffer.from(value),
    mode: "set",
  });

  test("are made, replaced, listed and removed, with the errors that Linux has", async () => {
    const { running, files } = await begin();
    const fs = running.filesystem;
    await files.save("a", Buffer.from("content"));
    const ino = await files.ino("a");
    const replace = { bytes: Buffer.from("x"), mode: "replace" } as const;
    await expect(fs.setxattr(request(), ino, NAME, replace)).rejects.toMatchObject({
      code: "NoAttribute",
    });
    await fs.setxattr(request(), ino, NAME, { ...replace, mode: "create" });
    await expect(
      fs.setxattr(request(), ino, NAME, { ...replace, mode: "create" }),
    ).rejects.toMatchObject({ code: "Exists" });
    await fs.setxattr(request(), ino, NAME, replace);
    await fs.setxattr(request(), ino, Buffer.from("user.empty"), text(""));
    expect(await fs.listxattr(request(), ino)).toEqual(["user.note", "user.empty"]);
    expect(await fs.getxattr(request(), ino, Buffer.from("user.empty"))).toHaveLength(0);
    await fs.removexattr(request(), ino, NAME);
    const missing = { code: "NoAttribute" };
    await expect(fs.getxattr(request(), ino, NAME)).rejects.toMatchObject(missing);
    await expect(fs.removexattr(request(), ino, NAME)).rejects.toMatchObject(missing);
    const acl = Buffer.from("system.posix_acl_access");
    await expect(fs.getxattr(request(), ino, acl)).rejects.toMatchObject({ code: "NotSupported" });
    await expect(fs.setxattr(request(), ino, acl, text("x"))).rejects.toMatchObject({
      code: "NotSupported",
    });
  });

  test("too large for the object's metadata they stay on this machine, too large for that they are refused", async () => {
    const { running, files } = await begin();
    const fs = running.filesystem;
    world.emulator.order({ kind: "PutObject", fault: BUSY, count: 1_000_000 });
    await files.save("a", Buffer.from("content"));
    const ino = await files.ino("a");
    const large = randomContent(64 * 1024);
    await fs.setxattr(request(), ino, NAME, { bytes: large, mode: "set" });
    await expect(
      fs.setxattr(request(), ino, Buffer.from("user.more"), { bytes: large, mode: "set" }),
    ).rejects.toMatchObject({ code: "NoSpace" });
    relax();
    await drained(running);
    const head = await world.bucket().head(toKey("a"));
    expect(head?.metadata).toMatchObject({ mode: "33188" });
    expect(head?.metadata).not.toHaveProperty("xattr");
    await running.stop();
    const after = await again();
    const value = await after.running.filesystem.getxattr(
      request(),
      await after.files.ino("a"),
      NAME,
    );
    expect(Buffer.from(value).equals(large)).toBe(true);
  });
});
