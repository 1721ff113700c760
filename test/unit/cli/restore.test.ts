// `kodomount restore` against a mount that says how its archived files are.

import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ArchiveStatus } from "../../../src/control/mod.ts";
import { CliWorld, type FakeMount } from "./fake-mount.ts";

let world: CliWorld;
let mount: FakeMount;

beforeEach(async () => {
  world = await CliWorld.create();
  mount = await world.mount("mnt");
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

function archived(at: string, ...states: Omit<ArchiveStatus, "path">[]): void {
  mount.archived.set(
    at,
    states.map((state) => ({ path: at, ...state })),
  );
}

const RESTORED = { state: "restored", untilMs: Date.UTC(2026, 11, 2) } as const;

describe("restore", () => {
  it("S7.21 asks, waits with lines, and says until when the file can be read", async () => {
    archived("d/a", { state: "restoring" }, { state: "restoring" }, RESTORED);
    const { code, out, err } = await world.kodomount([
      "restore",
      path.join(mount.dir, "d/a"),
      "--days",
      "3",
    ]);
    expect([code, err]).toEqual([0, ""]);
    expect(out.replaceAll(mount.dir, "DIR").split("\n")).toEqual([
      "DIR/d/a is being restored",
      "Waiting until a file can be read",
      "DIR/d/a can be read until 2026-12-02T00:00:00.000Z",
      "",
    ]);
    expect(mount.asked).toEqual([{ path: "d/a", days: 3 }]);
  });

  it("S7.21 draws what it waits for on a screen, and leaves it clean", async () => {
    archived("a", { state: "restoring" }, RESTORED);
    const screen = { columns: 60, rows: 10 };
    const { code, out } = await world.kodomount(["restore", path.join(mount.dir, "a")], { screen });
    expect(code).toBe(0);
    expect(out).toContain("Waiting until a file can be read, for 0 s");
    expect(out).toMatch(/\[J[^\n]*can be read until 2026-12-02T00:00:00.000Z\n$/);
  });

  it("S7.21 with --no-wait only asks", async () => {
    archived("a", { state: "restoring" });
    const { code, out } = await world.kodomount([
      "restore",
      path.join(mount.dir, "a"),
      "--no-wait",
    ]);
    expect([code, out]).toEqual([0, `${mount.dir}/a is being restored\n`]);
  });

  it("S7.21 names what could not be asked for, goes on with the others, and fails", async () => {
    archived("a", { state: "archived", error: "AccessDenied" });
    archived("b", RESTORED);
    const files = [path.join(world.base, "elsewhere"), `${mount.dir}/a`, `${mount.dir}/b`];
    const { code, out, err } = await world.kodomount(["restore", ...files]);
    expect(code).toBe(1);
    expect(out).toMatch(/b can be read/);
    expect(err).toMatch(/elsewhere is not in a mount.*\n.*a is not restored: AccessDenied/);
  });

  it("S7.21 a number of days that cannot be is refused before anything is asked", async () => {
    const { code, err } = await world.kodomount(["restore", `${mount.dir}/a`, "--days", "0"]);
    expect(code).toBe(2);
    expect(err).toMatch(/--days/);
    expect(mount.asked).toEqual([]);
  });
});
