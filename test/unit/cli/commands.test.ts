// status and uploads against a mount that answers: what they say, and what they exit with.

import { mkdir, readFile, symlink } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CliWorld, type FakeMount, pending } from "./fake-mount.ts";

let world: CliWorld;
let mount: FakeMount;

beforeEach(async () => {
  world = await CliWorld.create();
  mount = await world.mount("mnt");
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe("status", () => {
  it("shows what the mount is doing", async () => {
    mount.pending = [
      pending({ path: "ckpt/a.pt", error: "Unreachable: no route" }),
      pending({
        path: "b",
        state: "delete",
        waitsFor: "store",
        save: undefined,
        size: 0,
        since: undefined,
      }),
    ];
    const { code, out } = await world.kodomount(["status", mount.dir]);
    expect(code).toBe(0);
    expect(out.split("\n").map((line) => line.replace(/ for \d.*? \(/, " for TIME ("))).toEqual([
      `s3://models/team/a at ${mount.dir} (close=commit)`,
      `  process   ${process.pid}, for 0 s, version 0.1.0`,
      "  store     https://s3.cn-east-1.qiniucs.com, checks what it receives: yes",
      `  state     ${mount.stateDir}, 1.0 KiB of 1.0 GiB in use`,
      "  sent      8.0 MiB acknowledged, 3 parts under way, 1.0 MiB/s",
      "  pending   1 closed, 1 delete",
      "    closed       ckpt/a.pt  24.0 MiB, 1 of 3 parts  waits for the store to take it for TIME (Unreachable: no route)",
      "    delete       b  waits for the store",
      "",
    ]);
  });

  it("gives programs one object for a directory, an array for all", async () => {
    const one = JSON.parse((await world.kodomount(["status", mount.dir, "--json"])).out);
    expect(one).toMatchObject({ dir: mount.dir, pid: process.pid, mounted: true, pending: [] });
    await world.mount("other");
    const all = JSON.parse((await world.kodomount(["status", "--json"])).out);
    expect(all.map((each: { dir: string }) => each.dir)).toEqual([
      mount.dir,
      path.join(world.base, "other"),
    ]);
  });

  it("finds the mount by a relative path and through a symbolic link", async () => {
    await symlink(mount.dir, path.join(world.base, "link"));
    for (const dir of ["mnt", "./mnt/", "link"])
      expect((await world.kodomount(["status", dir])).code).toBe(0);
  });

  it("says that nothing is mounted there", async () => {
    await mkdir(path.join(world.base, "elsewhere"));
    expect(await world.kodomount(["status", "elsewhere"])).toEqual({
      code: 1,
      out: "",
      err: `kodomount: ${world.base}/elsewhere is not mounted by kodomount; 'kodomount status' lists what is\n`,
    });
  });

  it("says since when the store fails, in its words", async () => {
    mount.trouble = { since: 0, error: "UploadPart ckpt/a.pt: connect ECONNREFUSED" };
    const { out } = await world.kodomount(["status", mount.dir]);
    expect(out).toMatch(/^ {2}trouble {3}for \d.*: UploadPart ckpt\/a\.pt: connect ECONNREFUSED$/m);
  });

  it("says of a file that is kept why, and what to do", async () => {
    mount.pending = [
      pending({ path: "a", state: "parked", why: "Conflict", waitsFor: "operator" }),
      pending({ path: "b", state: "parked", why: "QuotaExceeded", waitsFor: "operator" }),
      pending({ path: "c", state: "refused", why: "NoSpace", waitsFor: "writer" }),
    ];
    const { out } = await world.kodomount(["status", mount.dir]);
    expect(out).toMatch(/ a .*another client has written it since: 'kodomount uploads resolve /);
    expect(out).toMatch(/ b .*the store refuses it: mend that, then 'kodomount uploads retry'/);
    expect(out).toMatch(/ c .*has failed, and its next write or close says so/);
  });

  it("regression: of thousands of files those are shown that need somebody", async () => {
    mount.pending = [
      ...Array.from({ length: 5000 }, (_, index) => pending({ path: `f${index}` })),
      pending({ path: "kept", state: "parked", why: "QuotaExceeded", waitsFor: "operator" }),
    ];
    const { out } = await world.kodomount(["status", mount.dir]);
    expect(out).toMatch(/^ {4}parked {7}kept /m);
    expect(out).toContain("and 4981 more\n");
  });

  it("--watch refuses an output that is no screen, and --json", async () => {
    expect(await world.kodomount(["status", "--watch"])).toEqual({
      code: 2,
      out: "",
      err: "kodomount: Cannot use '--watch': the output is not a screen; 'kodomount status' says it once, '--json' says it for programs\n",
    });
    const screen = { columns: 80, rows: 24 };
    const { code, err } = await world.kodomount(["status", "--watch", "--json"], { screen });
    expect(code).toBe(2);
    expect(err).toContain("'--watch' with '--json'");
  });

  it("--watch draws over what it drew, until the mount is gone", async () => {
    mount.pending = [pending({ path: "a.pt" })];
    let drawn = 0;
    let dying = Promise.resolve();
    const { code, out, err } = await world.kodomount(["status", mount.dir, "--watch"], {
      screen: { columns: 100, rows: 10 },
      onOut: () => {
        drawn += 1;
        if (drawn === 2) dying = mount.die();
      },
    });
    await dying;
    expect(out).toContain("[######--------------]  33 % a.pt");
    expect(out).toContain("\x1b[2F\x1b[J");
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining("has died") });
  });

  it("has every field of its JSON in docs/operations.md", async () => {
    mount.pending = [pending({ path: "a", error: "x", why: "Conflict" })];
    mount.trouble = { since: 0, error: "x" };
    const status = JSON.parse((await world.kodomount(["status", mount.dir, "--json"])).out);
    const docs = await readFile(new URL("../../../docs/operations.md", import.meta.url), "utf8");
    const names = [...Object.keys(status), ...Object.keys(status.pending[0])];
    expect(names.filter((name) => !docs.includes(`\`${name}\``))).toEqual([]);
    for (const word of ["writer", "rename", "bytes", "order", "answer", "copies", "operator"])
      expect(docs).toContain(`\`${word}\``);
  });

  it("does not let control characters of a name reach the terminal", async () => {
    mount.pending = [pending({ path: "evil\x1b[2J\nname" })];
    expect((await world.kodomount(["status", mount.dir])).out).toContain("evil\\x1b[2J\\nname");
  });
});

describe("a dead mount", () => {
  it("is named as such until somebody cleans up, and does not hide others", async () => {
    await mount.die();
    const other = await world.mount("other");
    const sentence = `kodomount: The process of the mount at ${mount.dir} has died: 'kodomount mount' again goes on where it stopped, 'kodomount unmount' cleans up\n`;
    expect(await world.kodomount(["status", mount.dir])).toEqual({
      code: 1,
      out: "",
      err: sentence,
    });
    const { code, out, err } = await world.kodomount(["status"]);
    expect({ code, err }).toEqual({ code: 1, err: sentence });
    expect(out).toContain(`s3://models/team/a at ${other.dir}`);
    // What it holds is not known, so nobody can say that all is in the bucket.
    expect(await world.kodomount(["wait"])).toEqual({ code: 1, out: "", err: sentence });
    expect(await world.kodomount(["uploads"])).toEqual({ code: 1, out: "", err: sentence });
  });

  it("is cleaned up after by unmount, which cannot know that everything is in the bucket", async () => {
    await mount.die();
    expect(await world.kodomount(["unmount", mount.dir])).toEqual({
      code: 1,
      out: "",
      err: `kodomount: The process of the mount at ${mount.dir} had died, and is cleaned up after; what is not in the bucket yet goes on at the next mount (state in ${mount.stateDir})\n`,
    });
    expect((await world.kodomount(["unmount", mount.dir])).err).toBe(
      `kodomount: ${mount.dir} is not mounted by kodomount; 'kodomount status' lists what is\n`,
    );
  });
});

describe("uploads", () => {
  const interrupted = pending({
    path: "a b/c.pt",
    state: "interrupted",
    promised: false,
    save: "00000000000000aa",
  });

  it("lists saves with their ids", async () => {
    mount.pending = [interrupted, pending({ path: "gone", state: "delete", save: undefined })];
    const { out } = await world.kodomount(["uploads"]);
    expect(out).toMatch(
      /^00000000000000aa {2}interrupted {2}a b\/c\.pt {2}24\.0 MiB, 1 of 3 parts {2}its writer died \d.* ago: save it again, .*\n$/,
    );
    const [json] = JSON.parse((await world.kodomount(["uploads", mount.dir, "--json"])).out);
    expect(json).toMatchObject({ save: "00000000000000aa", path: "a b/c.pt", dir: mount.dir });
  });

  it("says that nothing is pending", async () => {
    expect(await world.kodomount(["uploads"])).toEqual({
      code: 0,
      out: "Nothing is pending\n",
      err: "",
    });
  });

  it.each([
    ["publish", "a b/c.pt will be published\n"],
    ["drop", "a b/c.pt is dropped\n"],
    ["retry", "a b/c.pt is tried again\n"],
  ])("orders to %s a save, by id and by path", async (kind, said) => {
    mount.pending = [interrupted];
    for (const name of ["00000000000000aa", "mnt/a b/c.pt", path.join(mount.dir, "a b/c.pt")])
      expect(await world.kodomount(["uploads", kind, name])).toEqual({
        code: 0,
        out: said,
        err: "",
      });
    expect(mount.acted).toEqual(
      Array.from({ length: 3 }, () => ({ kind, save: "00000000000000aa" })),
    );
  });

  it.each([
    ["mine", "a b/c.pt will replace what is in the bucket\n"],
    ["theirs", "a b/c.pt is dropped\n"],
  ])("resolves a conflict: keeps %s, by id and by path", async (keep, said) => {
    mount.pending = [{ ...interrupted, state: "parked", why: "Conflict" }];
    for (const name of ["00000000000000aa", "mnt/a b/c.pt"])
      expect(await world.kodomount(["uploads", "resolve", name, "--keep", keep])).toEqual({
        code: 0,
        out: said,
        err: "",
      });
    const act = { kind: `keep-${keep}`, save: "00000000000000aa" };
    expect(mount.acted).toEqual([act, act]);
  });

  it.each([
    [["resolve", "x"], "required option '--keep <whose>' not specified"],
    [["resolve", "x", "--keep", "both"], `Cannot use '--keep' "both": it must be mine or theirs`],
    [["resolve", "--keep", "mine"], "missing required argument 'save'"],
    [["retry"], "missing required argument 'save'"],
    [["publish", "a", "b"], "too many arguments for 'publish'"],
  ])("refuses 'uploads %j', and orders nothing", async (args, sentence) => {
    mount.pending = [interrupted];
    const { code, out, err } = await world.kodomount(["uploads", ...args]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(sentence);
    expect(mount.acted).toEqual([]);
  });

  it("orders nothing for a path with two saves, unless the id is given", async () => {
    mount.pending = [interrupted, { ...interrupted, save: "00000000000000bb", state: "parked" }];
    const { code, err } = await world.kodomount(["uploads", "drop", "mnt/a b/c.pt"]);
    expect(code).toBe(1);
    expect(err).toContain("There are two saves of");
    expect(mount.acted).toEqual([]);
    expect((await world.kodomount(["uploads", "drop", "00000000000000bb"])).code).toBe(0);
  });

  it("orders nothing for a save that goes on by itself or is not there", async () => {
    mount.pending = [pending({ path: "a" })];
    expect(await world.kodomount(["uploads", "drop", "mnt/a"])).toEqual({
      code: 1,
      out: "",
      err: `kodomount: No save "mnt/a" is interrupted or parked; see 'kodomount uploads'\n`,
    });
    expect(mount.acted).toEqual([]);
  });
});
