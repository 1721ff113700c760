// `kodomount warm` against a mount that answers what the test says.

import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KodomountError } from "../../../src/base/mod.ts";
import { CliWorld, type FakeMount } from "./fake-mount.ts";

const MIB = 1024 ** 2;

let world: CliWorld;
let mount: FakeMount;

beforeEach(async () => {
  world = await CliWorld.create();
  mount = await world.mount("mnt");
});
afterEach(() => world[Symbol.asyncDispose]());

describe("warm", () => {
  it("asks each mount once for what is named, tells each tenth, and names what failed", async () => {
    const asked: (readonly string[])[] = [];
    mount.warm = async (paths, onWarming) => {
      asked.push(paths);
      for (let done = 0; done <= 100; done += 5)
        onWarming({
          files: 2,
          bytes: 100 * MIB,
          filesDone: done < 90 ? 0 : 1,
          bytesDone: done * MIB,
        });
      return { files: 2, bytes: 100 * MIB, bytesFetched: 60 * MIB, failed: ["b is archived"] };
    };
    const { code, out, err } = await world.kodomount(["warm", "mnt/a", "mnt/dir/", "mnt"]);
    expect(code).toBe(1);
    expect(asked).toEqual([["a", "dir", ""]]);
    expect(err).toBe("kodomount: Not in the cache: b is archived\n");
    const lines = out.split("\n");
    expect(lines[0]).toBe("0 %: 0 of 2 files, 0 bytes of 100.0 MiB");
    expect(lines[10]).toBe("100 %: 1 of 2 files, 100.0 MiB of 100.0 MiB");
    expect(lines[11]).toBe("1 of 2 files (100.0 MiB) in the cache, 60.0 MiB fetched");
    expect(lines).toHaveLength(13);
  });

  it("draws a bar on a screen, and leaves nothing of it", async () => {
    mount.warm = async (_, onWarming) => {
      onWarming({ files: 4, bytes: 100 * MIB, filesDone: 1, bytesDone: 25 * MIB });
      return { files: 4, bytes: 100 * MIB, bytesFetched: 100 * MIB, failed: [] };
    };
    const screen = { columns: 200, rows: 10 };
    const { code, out } = await world.kodomount(["warm", "mnt"], { screen });
    expect(code).toBe(0);
    expect(out).toContain("[#####---------------]  25 % 1 of 4 files, 25.0 MiB of 100.0 MiB, ");
    expect(out).toContain(
      "\x1b[1F\x1b[J4 of 4 files (100.0 MiB) in the cache, 100.0 MiB fetched\n",
    );
  });

  it("fetches nothing when one of the paths is in no mount", async () => {
    mount.warm = async () => {
      throw new KodomountError("Programmer", "nothing was to be asked for");
    };
    const { code, err } = await world.kodomount(["warm", "mnt/a", "elsewhere"]);
    expect(code).toBe(1);
    expect(err).toContain(`${path.join(world.base, "elsewhere")} is not in a mount of kodomount`);
  });

  it("exits with 2 when the mount has no cache, and 1 when it is too small", async () => {
    mount.warm = async () => {
      throw new KodomountError("Config", "The mount at X has no cache on disk");
    };
    expect(await world.kodomount(["warm", "mnt"])).toMatchObject({
      code: 2,
      err: "kodomount: The mount at X has no cache on disk\n",
    });
    mount.warm = async () => {
      throw new KodomountError("TooLarge", "The cache takes 1 MiB");
    };
    expect((await world.kodomount(["warm", "mnt"])).code).toBe(1);
  });
});
