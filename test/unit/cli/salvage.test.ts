// What `salvage` refuses, in one line, before anything is changed; and names that must not lead out of its target.

import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CliWorld } from "./fake-mount.ts";

let world: CliWorld;
let state: string;

beforeEach(async () => {
  world = await CliWorld.create();
  state = path.join(world.base, "state");
  await mkdir(path.join(state, "spill"), { recursive: true });
  await writeFile(path.join(state, "plan.json"), '[{"count":4000,"size":1048576}]');
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function addSave(id: string, head: unknown, parts: Record<string, Buffer>): Promise<void> {
  const dir = path.join(state, "spill", id);
  await mkdir(dir);
  await writeFile(path.join(dir, "head"), typeof head === "string" ? head : JSON.stringify(head));
  for (const [name, bytes] of Object.entries(parts)) await writeFile(path.join(dir, name), bytes);
}

const ATTRIBUTES = { mode: 0o100640, uid: 0, gid: 0, mtimeMs: 1_600_000_000_000 };

describe("salvage", () => {
  it.each([
    [
      "a directory that is not there",
      ["nowhere", "out"],
      `salvage "BASE/nowhere": it is not there`,
    ],
    ["a file", ["state/plan.json", "out"], `salvage "BASE/state/plan.json": it is not a directory`],
    ["a target that is not empty", ["state", "."], `use "BASE": it is not empty`],
    ["a target that is a file", ["state", "state/plan.json"], `use "BASE/state/plan.json": `],
    [
      "a target inside the state directory",
      ["state", "state/spill/x"],
      `use "BASE/state/spill/x": it is inside the state directory`,
    ],
  ])("refuses %s", async (_, args, sentence) => {
    const { code, out, err } = await world.kodomount(["salvage", ...args]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err.replaceAll(world.base, "BASE").startsWith(`kodomount: Cannot ${sentence}`)).toBe(
      true,
    );
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect((await readdir(state)).sort()).toEqual(["plan.json", "spill"]);
  });

  it("refuses a directory that is no state directory", async () => {
    await mkdir(path.join(world.base, "other"));
    const { code, err } = await world.kodomount(["salvage", "other", "out"]);
    expect(code).toBe(2);
    expect(err).toContain("it is no state directory, there is neither 'spill' nor 'catalog' in it");
  });

  it("refuses a state directory that a mount uses", async () => {
    const mount = await world.mount("mnt");
    await mkdir(path.join(mount.stateDir, "spill"));
    const { code, err } = await world.kodomount(["salvage", mount.stateDir, "out"]);
    expect(code).toBe(1);
    expect(err).toBe(
      `kodomount: Cannot salvage ${mount.stateDir}: it is in use by process ${process.pid}; what is in it is published by that. 'kodomount unmount' first\n`,
    );
    expect(await readdir(world.base)).not.toContain("out");
  });

  it("says that nothing is there", async () => {
    const { code, out } = await world.kodomount(["salvage", "state", "out"]);
    expect(code).toBe(0);
    expect(out).toContain("Note: The catalog cannot be read (there is no catalog)");
    expect(out).toContain("Nothing is in the spill\n");
  });

  it("gets files out with their attributes, and names what is missing", async () => {
    const MIB = 1024 * 1024;
    const one = Buffer.alloc(MIB, 1);
    await addSave(
      "00000000000000a1",
      { key: "dir/a", ino: 2, attributes: ATTRIBUTES },
      {
        "00001.1": Buffer.alloc(MIB, 9),
        "00001.2": one,
        "00002.1": Buffer.from("end"),
        junk: Buffer.from("not a part"),
      },
    );
    await addSave(
      "00000000000000a2",
      { key: "b", ino: 3, attributes: ATTRIBUTES },
      {
        "00002.1": Buffer.from("tail"),
      },
    );
    const { code, out } = await world.kodomount(["salvage", "state", "out"]);
    expect(code).toBe(1);
    const target = path.join(world.base, "out");
    expect(
      (await readFile(path.join(target, "dir/a"))).equals(Buffer.concat([one, Buffer.from("end")])),
    ).toBe(true);
    expect((await readFile(path.join(target, "b.incomplete"))).subarray(MIB).toString()).toBe(
      "tail",
    );
    expect(out).toContain(
      "incomplete  b, 1.0 MiB, as b.incomplete\n    bytes 0 to 1048575 are missing: ",
    );
    expect(out).toContain("complete    dir/a, 1.0 MiB\n");
    expect(out).toContain(`1 of 2 files are complete, in ${target}\n`);
    const json = await world.kodomount(["salvage", "state", "out2", "--json"]);
    expect(JSON.parse(json.out)).toMatchObject({
      files: [
        { key: "b", complete: false, size: MIB + 4, missing: [{ offset: 0, size: MIB }] },
        { key: "dir/a", complete: true, path: "dir/a", missing: [] },
      ],
    });
  });

  it("gives two saves of one name a name each", async () => {
    for (const id of ["00000000000000a1", "00000000000000a2"])
      await addSave(
        id,
        { key: "a", ino: 2, attributes: ATTRIBUTES },
        { "00001.1": Buffer.from(id) },
      );
    expect((await world.kodomount(["salvage", "state", "out"])).code).toBe(0);
    const names = await readdir(path.join(world.base, "out"));
    expect(names).toHaveLength(2);
    expect(names).toContain("a");
  });

  it("never writes outside of its target, whatever the spill says", async () => {
    const outside = await mkdtemp(path.join(os.tmpdir(), "kodomount-outside-"));
    try {
      const link = { ...ATTRIBUTES, mode: 0o120777 };
      const bytes = { "00001.1": Buffer.from("x") };
      await addSave(
        "00000000000000a1",
        { key: "../../evil", ino: 2, attributes: ATTRIBUTES },
        bytes,
      );
      await addSave(
        "00000000000000a2",
        { key: "/etc/evil", ino: 2, attributes: ATTRIBUTES },
        bytes,
      );
      await addSave(
        "00000000000000a3",
        { key: "d", ino: 2, attributes: link },
        { "00001.1": Buffer.from(outside) },
      );
      await addSave("00000000000000a4", { key: "d/evil", ino: 2, attributes: ATTRIBUTES }, bytes);
      await addSave("00000000000000a5", "{ not JSON", bytes);
      await addSave(
        "00000000000000a6",
        { key: "x".repeat(255), ino: 2 },
        { "00002.1": Buffer.from("x") },
      );
      await addSave("00000000000000a7", { key: "linked", ino: 2, attributes: ATTRIBUTES }, {});
      await symlink("/etc/passwd", path.join(state, "spill/00000000000000a7/00001.1"));
      const { out } = await world.kodomount(["salvage", "state", "out", "--json"]);
      const { files } = JSON.parse(out) as { files: { save: string; path?: string }[] };
      const pathOf = (end: string): string | undefined =>
        files.find(({ save }) => save.endsWith(end))?.path;
      expect(pathOf("a1")).toBe("00000000000000a1");
      expect(pathOf("a2")).toBe("00000000000000a2");
      expect(pathOf("a5")).toBe("00000000000000a5");
      expect(pathOf("a6")).toBe("00000000000000a6.incomplete");
      expect(pathOf("a7")).toBeUndefined();
      expect(await readdir(outside)).toEqual([]);
      expect(await readdir(world.base)).not.toContain("evil");
    } finally {
      await rm(outside, { recursive: true });
    }
  });
});
