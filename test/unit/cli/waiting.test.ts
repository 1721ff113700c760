// wait and unmount against a mount that answers: what they say, and what they exit with.

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

describe("wait", () => {
  it("waits until what was closed is in the bucket, and says for what", async () => {
    mount.pending = [
      pending({ path: "a.pt" }),
      pending({ path: "still-open", state: "open", promised: false }),
    ];
    const { code, out, err } = await world.kodomount(["wait"], {
      onOut: () => {
        mount.pending = mount.pending.filter((each) => each.state === "open");
      },
    });
    expect({ code, out, err }).toEqual({
      code: 0,
      out: "Waiting for 1 file (24.0 MiB): a.pt\n",
      err: "",
    });
  });

  it("waits only for what is at or below the path", async () => {
    mount.pending = [pending({ path: "dir2/x" }), pending({ path: "dirty" })];
    expect((await world.kodomount(["wait", "mnt/dir"])).code).toBe(0);
    mount.pending = [pending({ path: "dir/x" })];
    const { out } = await world.kodomount(["wait", "mnt/dir"], {
      onOut: () => (mount.pending = []),
    });
    expect(out).toBe("Waiting for 1 file (24.0 MiB): dir/x\n");
  });

  it("fails for what the store refused, and for the very file whose writer died", async () => {
    mount.pending = [
      pending({ path: "a", state: "parked", error: "QuotaExceeded" }),
      pending({ path: "b", state: "interrupted", promised: false }),
    ];
    expect(await world.kodomount(["wait"])).toEqual({
      code: 1,
      out: "",
      err: "kodomount: Not in the bucket: a: parked (QuotaExceeded)\n",
    });
    expect((await world.kodomount(["wait", "mnt/b"])).err).toBe(
      "kodomount: Not in the bucket: b: interrupted\n",
    );
  });

  it("refuses a path that is in no mount", async () => {
    const { code, err } = await world.kodomount(["wait", "/nowhere/x"]);
    expect(code).toBe(1);
    expect(err).toBe(
      "kodomount: /nowhere/x is not in a mount of kodomount; 'kodomount status' lists what is mounted\n",
    );
  });
});

describe("unmount", () => {
  it("waits for what was closed, says for what, and then unmounts", async () => {
    mount.pending = [pending({ path: "a.pt" })];
    const said = await world.kodomount(["unmount", "mnt"], { onOut: () => (mount.pending = []) });
    expect(said).toEqual({
      code: 0,
      out: `Waiting for 1 file (24.0 MiB): a.pt\n${mount.dir} is unmounted; everything closed is in the bucket\n`,
      err: "",
    });
    expect(await mount.running.ended).toEqual([]);
  });

  it("draws bars on a screen while it waits, and leaves none of them", async () => {
    mount.pending = [pending({ path: "a.pt" })];
    const { code, out } = await world.kodomount(["unmount", "mnt"], {
      screen: { columns: 100, rows: 10 },
      onOut: () => (mount.pending = []),
    });
    expect(code).toBe(0);
    expect(out).toContain("Waiting for 1 file (24.0 MiB): a.pt\n");
    expect(out).toContain("[######--------------]  33 % a.pt");
    expect(out).toContain(`\x1b[3F\x1b[J${mount.dir} is unmounted`);
  });

  it("with --no-wait does not wait, names what is left and exits with 1", async () => {
    mount.pending = [
      pending({ path: "a.pt" }),
      pending({ path: "x", state: "copy", save: undefined }),
    ];
    expect(await world.kodomount(["unmount", "mnt", "--no-wait"])).toEqual({
      code: 1,
      out: "",
      err: [
        "kodomount: Not in the bucket: a.pt: closed",
        "kodomount: Not in the bucket: x: copy",
        `kodomount: ${mount.dir} is unmounted; what is named above is kept in ${mount.stateDir}, and goes on at the next mount`,
        "",
      ].join("\n"),
    });
  });

  it("names what the store refused and exits with 1; notes what was interrupted", async () => {
    mount.pending = [
      pending({ path: "a", state: "parked", error: "QuotaExceeded" }),
      pending({ path: "b", state: "interrupted", promised: false, size: 7 }),
    ];
    const { code, out, err } = await world.kodomount(["unmount", "mnt"]);
    expect(code).toBe(1);
    expect(out).toBe(
      "Kept, not published, since its writer died or its temporary name was never changed: b (7 bytes); see 'kodomount uploads' after the next mount\n",
    );
    expect(err).toContain("kodomount: Not in the bucket: a: parked (QuotaExceeded)\n");
  });

  it("leaves a mount with open files as it is", async () => {
    mount.filesOpen = true;
    expect(await world.kodomount(["unmount", "mnt"])).toEqual({
      code: 1,
      out: "",
      err: "kodomount: Files are open\n",
    });
    expect((await world.kodomount(["status", "mnt"])).code).toBe(0);
    mount.filesOpen = false;
    expect((await world.kodomount(["unmount", "mnt"])).code).toBe(0);
  });

  it("waits for the kernel's last words about files that were closed just before", async () => {
    mount.handles = 1;
    let saw = 0;
    const closing = world.kodomount(["unmount", "mnt"]).then((said) => {
      saw = mount.handles;
      return said;
    });
    await world.kodomount(["status", "mnt"]);
    mount.pending = [];
    mount.handles = 0;
    expect((await closing).code).toBe(0);
    expect(saw).toBe(0);
  });

  it("says that nothing is mounted there", async () => {
    const { code, err } = await world.kodomount(["unmount", "/nowhere"]);
    expect(code).toBe(1);
    expect(err).toBe(
      "kodomount: /nowhere is not mounted by kodomount; 'kodomount status' lists what is\n",
    );
  });
});
