// The end of a mount: who waits for what, what is left, and what ends a wait.

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

const never = new AbortController().signal;

describe("Running", () => {
  it("goes on publishing when somebody else has unmounted, and ends when all is published", async () => {
    mount.pending = [pending({ path: "a" })];
    mount.letGo();
    const waiting = mount.running.waitFor(undefined, () => undefined, never);
    await Promise.resolve();
    expect(mount.running.status()).toMatchObject({ mounted: false, pending: [{ path: "a" }] });
    mount.pending = [];
    await waiting;
    expect(await mount.running.ended).toEqual([]);
  });

  it("ends at once when abandoned, also with open files, and tells what is left", async () => {
    mount.filesOpen = true;
    mount.pending = [pending({ path: "a", error: "Unreachable" })];
    const waiting = mount.running.waitFor(undefined, () => undefined, never);
    const refused = expect(waiting).rejects.toMatchObject({ code: "Interrupted" });
    await mount.running.abandon();
    expect(await mount.running.ended).toEqual(["a: closed (Unreachable)"]);
    await refused;
  });

  it("keeps the mount when a wait for its end is given up", async () => {
    mount.pending = [pending({ path: "a" })];
    const giveUp = new AbortController();
    const stopping = mount.running.stop({ wait: true }, () => giveUp.abort(), giveUp.signal);
    await expect(stopping).rejects.toMatchObject({ code: "Interrupted" });
    expect(mount.running.status().mounted).toBe(true);
  });

  it("waits again for what was closed while it unmounted", async () => {
    let late = 0;
    mount.pending = [];
    const stopping = mount.running.stop(
      { wait: true },
      () => {
        late += 1;
        mount.pending = [];
      },
      never,
    );
    mount.pending = [pending({ path: "late" })];
    expect(await stopping).toEqual({ left: [] });
    expect(late).toBeGreaterThan(0);
  });

  it("lists saves alone as uploads, not copies and deletions", async () => {
    expect(mount.running.uploads()).toEqual([]);
    mount.pending = [
      pending({ path: "d", save: undefined, state: "delete" }),
      pending({ path: "a" }),
    ];
    expect(mount.running.uploads().map((each) => each.path)).toEqual(["a"]);
  });
});
