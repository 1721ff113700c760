// What the doctor says of machines, ways to a store, keys and leftovers that are wrong; and that it leaves nothing behind.

import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog, systemClock } from "../../../src/base/mod.ts";
import { Catalog } from "../../../src/catalog/mod.ts";
import { checkDisk } from "../../../src/cli/doctor/disk.ts";
import { checkEndpoint } from "../../../src/cli/doctor/endpoint.ts";
import type { Finding, Said } from "../../../src/cli/doctor/finding.ts";
import { checkMachine, type Machine } from "../../../src/cli/doctor/machine.ts";
import { type Emulator, startEmulator } from "../../../src/emulator/mod.ts";
import { toIno, toKey, toSaveId, toUploadId } from "../../../src/model/mod.ts";
import { CliWorld, pending } from "./fake-mount.ts";

const SECRET = "hunter2-of-a-test";

let world: CliWorld;

beforeEach(async () => {
  world = await CliWorld.create();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const good: Machine = {
  release: "6.18.1-generic",
  nodeVersion: "20.19.0",
  isRoot: true,
  searchPath: "/bin:relative",
  tryDevice: async () => undefined,
  read: async (file) =>
    file.endsWith("limits")
      ? "Max open files            1024                 524288               files\n"
      : "CapEff:\t000001ffffffffff\n",
  hasProgram: async (file) => file.startsWith("/bin/"),
};

function wrong(said: readonly Said[]): string[] {
  return said
    .filter(({ verdict }) => verdict !== "ok")
    .map(({ check, verdict }) => `${verdict} ${check}`);
}

describe("doctor: the machine", () => {
  it("finds nothing wrong with a good one", async () => {
    expect(wrong(await checkMachine(good))).toEqual([]);
  });

  it.each<[string, Partial<Machine>, string, RegExp]>([
    ["an old kernel", { release: "4.18.0-el8" }, "fail kernel", /Linux 5\.4 or newer/],
    ["an old Node", { nodeVersion: "20.9.0" }, "fail node", /20\.19/],
    ["another user", { isRoot: false }, "fail rights", /sudo/],
    [
      "root without the right to mount",
      { read: async () => "CapEff:\t00000000a80425fb\nMax open files 1024 524288 files" },
      "fail rights",
      /--cap-add SYS_ADMIN/,
    ],
    [
      "no mount(8)",
      { hasProgram: async (file) => !file.endsWith("/umount") },
      "fail programs",
      /package 'mount'/,
    ],
    [
      "few files",
      {
        read: async (file) =>
          file.endsWith("limits") ? "Max open files  256  512  files" : undefined,
      },
      "fail open files",
      /LimitNOFILE/,
    ],
    [
      "no device",
      { tryDevice: async () => Promise.reject(Object.assign(new Error("no"), { code: "ENOENT" })) },
      "fail /dev/fuse",
      /modprobe fuse/,
    ],
    [
      "a device that it may not open",
      { tryDevice: async () => Promise.reject(Object.assign(new Error("no"), { code: "EPERM" })) },
      "fail /dev/fuse",
      /SYS_ADMIN/,
    ],
  ])("names %s, and what to do", async (_, changes, what, advice) => {
    const said = await checkMachine({ ...good, ...changes });
    expect(wrong(said)).toEqual([what]);
    expect(said.find(({ verdict }) => verdict === "fail")?.advice).toMatch(advice);
  });
});

describe("doctor: the way to the store", () => {
  let server: Server;
  let endpoint: string;
  let date: string | undefined;

  beforeEach(async () => {
    server = createServer((_, response) => {
      response.sendDate = false;
      if (date !== undefined) response.setHeader("date", date);
      response.writeHead(403).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("it listens");
    endpoint = `http://127.0.0.1:${address.port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const at = (ms: number): string => new Date(Date.now() + ms).toUTCString();

  it.each([
    ["the same", 0, [], /less than 2 s apart/],
    ["5 min behind", -5 * 60_000, ["note clock"], /this one ahead/],
    [
      "an hour ahead",
      3_600_000,
      ["fail clock"],
      /1 h 0 min apart|59 min 5\d s apart.*this one behind/,
    ],
  ])("compares the clocks: the store's is %s", async (_, ms, expected, found) => {
    date = at(ms);
    const said = await checkEndpoint(endpoint, systemClock);
    expect(wrong(said)).toEqual(expected);
    expect(said.find(({ check }) => check === "clock")?.found).toMatch(found);
  });

  it("says when the store does not tell its time", async () => {
    date = undefined;
    expect(wrong(await checkEndpoint(endpoint, systemClock))).toEqual(["note clock"]);
  });

  it("stops at the first step that fails: no listener, no TLS, no such name", async () => {
    date = at(0);
    const tls = await checkEndpoint(endpoint.replace("http", "https"), systemClock);
    expect(wrong(tls)).toEqual(["fail TLS"]);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const said = await checkEndpoint(endpoint, systemClock);
    expect(wrong(said)).toEqual(["fail connection"]);
    expect(said.at(-1)).toMatchObject({ found: expect.stringContaining("ECONNREFUSED") });
    server.listen(0);
    expect(wrong(await checkEndpoint("http://nobody.invalid", systemClock))).toEqual(["fail name"]);
  });
});

describe("doctor: the disk", () => {
  it("looks at the nearest directory that is there, and leaves nothing in it", async () => {
    const stateDir = path.join(world.base, "not", "yet");
    const said = await checkDisk({ stateDir, closeMode: "commit" }, systemClock);
    expect(said.filter(({ verdict }) => verdict === "fail")).toEqual([]);
    expect(said[0]?.found).toContain("and will be made");
    expect(await readdir(world.base)).toEqual([]);
  });

  it("names a spill limit that the disk does not have, and a path that is no directory", async () => {
    const spillLimit = 2 ** 52;
    const said = await checkDisk(
      { stateDir: world.base, spillLimit, closeMode: "commit" },
      systemClock,
    );
    expect(said.find(({ check }) => check === "room")).toMatchObject({ verdict: "note" });
    const file = path.join(world.base, "file");
    await writeFile(file, "");
    expect(
      wrong(await checkDisk({ stateDir: `${file}/x`, closeMode: "commit" }, systemClock)),
    ).toEqual(["fail state"]);
  });
});

describe("doctor: keys and bucket", () => {
  let emulator: Emulator;

  beforeEach(async () => {
    emulator = await startEmulator({
      dir: path.join(world.base, "bucket"),
      buckets: ["models"],
      accessKeyId: "test",
      secretAccessKey: SECRET,
      region: "test",
      clock: systemClock,
      log: silentLog,
    });
  });
  afterEach(() => emulator.stop());

  async function examine(env: Record<string, string> = {}, more: readonly string[] = []) {
    const args = ["--endpoint", emulator.endpoint, "--provider", "kodo", "--region", "test"];
    const state = ["--state-dir", path.join(world.base, "state")];
    const keys = { KODO_ACCESS_KEY: "test", KODO_SECRET_KEY: SECRET, ...env };
    const all = ["doctor", "models/team", ...args, ...state, "--json", ...more];
    const { out, code, err } = await world.kodomount(all, { env: keys });
    expect(out + err).not.toContain(SECRET);
    const report = JSON.parse(out) as { ok: boolean; findings: Finding[] };
    return { code, of: report.findings.filter(({ about }) => about === "s3://models/team") };
  }

  it("tries all that a mount does, finds nothing wrong, and leaves nothing in the bucket", async () => {
    const { of } = await examine();
    expect(wrong(of)).toEqual([]);
    expect(of.map(({ check }) => check)).toEqual([
      ...["name", "connection", "answer", "clock"],
      ...["list", "put", "head", "get", "multipart", "delete", "hashes"],
      ...["state", "room", "sync"],
    ]);
    expect(of.find(({ check }) => check === "delete")?.found).toMatch(
      /the probe \.kodomount-probe-[0-9a-f]{12} is deleted/,
    );
    expect(emulator.objects("models")).toEqual([]);
    expect(await emulator.uploads()).toEqual([]);
  });

  it("names keys that are wrong, without them", async () => {
    const { code, of } = await examine({ KODO_SECRET_KEY: "other-secret" });
    expect(code).toBe(1);
    expect(wrong(of)).toEqual(["fail keys"]);
    expect(JSON.stringify(of)).not.toContain("other-secret");
    expect(of.find(({ check }) => check === "keys")?.found).toContain("does not accept the keys");
  });

  it("names keys that are missing, and goes on with the rest", async () => {
    const { code, out } = await world.kodomount([
      "doctor",
      "models",
      "--endpoint",
      emulator.endpoint,
    ]);
    expect(code).toBe(1);
    expect(out).toMatch(/fail {2}options {6}There are no keys for the store/);
    expect(out).toContain("leftovers");
  });

  it.each([
    ["PutObject", ["fail put"], 0],
    ["GetObject", ["fail get"], 0],
    ["CreateMultipartUpload", ["fail multipart"], 0],
    ["DeleteObject", ["fail delete"], 1],
  ] as const)("names the right to %s that the keys do not have", async (kind, expected, left) => {
    emulator.order({
      kind,
      fault: { kind: "status", status: 403, code: "AccessDenied" },
      count: 100,
    });
    const { code, of } = await examine();
    expect(code).toBe(1);
    expect(wrong(of).filter((each) => each.startsWith("fail"))).toEqual(expected);
    expect(emulator.objects("models")).toHaveLength(left);
    expect(await emulator.uploads()).toEqual([]);
    for (const order of emulator.orders()) order.cancel();
    if (left === 0) return;
    const again = await examine();
    expect(wrong(again.of)).toEqual(["note probes"]);
  });

  it("says of a store that cannot be used now what is wrong, and does not hang", async () => {
    emulator.order({
      kind: "any",
      fault: { kind: "status", status: 503, code: "SlowDown" },
      count: 1000,
    });
    const { code, of } = await examine();
    expect(code).toBe(1);
    expect(wrong(of)).toEqual(
      ["note clock", "fail keys"].filter((each) => wrong(of).includes(each)),
    );
    expect(of.find(({ check }) => check === "keys")?.found).toContain("cannot serve now");
  }, 30_000);
});

describe("doctor: leftovers", () => {
  async function leftovers(): Promise<{ code: number; of: Finding[] }> {
    const { code, out } = await world.kodomount(["doctor", "--json"]);
    const { findings } = JSON.parse(out) as { findings: Finding[] };
    return { code, of: findings.filter(({ about }) => about === "leftovers") };
  }

  /** A catalog as a mount that was killed leaves it. */
  async function makeCatalog(stateDir: string): Promise<void> {
    const dir = path.join(stateDir, "catalog");
    const identity = { endpoint: "http://x", bucket: "models", prefix: "team/" };
    const catalog = await Catalog.open({
      dir,
      identity,
      log: silentLog,
      clock: systemClock,
      bootId: "boot",
    });
    const attributes = { mode: 0o100644, uid: 0, gid: 0, mtimeMs: 0 };
    const save = {
      ino: toIno(2),
      base: { kind: "absent" },
      attributes,
      size: 9,
      fsynced: true,
    } as const;
    await catalog.apply(
      [
        {
          put: "save",
          record: {
            ...save,
            id: toSaveId("00000000000000a1"),
            key: toKey("a"),
            state: { kind: "closed", size: 9, closedAt: 1, order: 1 },
          },
        },
        {
          put: "save",
          record: {
            ...save,
            id: toSaveId("00000000000000a2"),
            key: toKey("b"),
            state: { kind: "interrupted", size: 9, since: 1 },
          },
        },
        { put: "abort", key: toKey("c"), uploadId: toUploadId("upload") },
      ],
      { sync: true },
    );
    await catalog.close();
  }

  it("names dead mounts and what their state directories hold, and changes nothing", async () => {
    const mount = await world.mount("mnt");
    await mount.die();
    await makeCatalog(mount.stateDir);
    const before = await readdir(path.join(mount.stateDir, "catalog"));
    const { code, of } = await leftovers();
    expect(code).toBe(1);
    const own = of.filter(({ found }) => found.includes(world.base));
    expect(wrong(own)).toEqual(["fail mount", "fail unsent", "note kept", "note uploads"]);
    expect(own[1]?.found).toContain(
      "1 closed files (9 bytes) are not in the bucket, the first is a",
    );
    expect(own[1]?.advice).toContain("mount s3://models/team again");
    expect(await readdir(path.join(mount.stateDir, "catalog"))).toEqual(before);
  });

  it("names a catalog that is damaged, and salvage", async () => {
    const mount = await world.mount("mnt");
    await mount.die();
    await makeCatalog(mount.stateDir);
    const dir = path.join(mount.stateDir, "catalog");
    for (const name of await readdir(dir))
      if (name.startsWith("MANIFEST")) await writeFile(path.join(dir, name), "junk");
    const { of } = await leftovers();
    const catalog = of.find(({ check }) => check === "catalog");
    expect(catalog).toMatchObject({
      verdict: "fail",
      advice: `'kodomount salvage ${mount.stateDir} TARGET_DIR' gets out what was saved`,
    });
  });

  it("asks a mount that runs, and does not open its catalog", async () => {
    const mount = await world.mount("mnt");
    await mkdir(path.join(mount.stateDir, "catalog"));
    mount.pending = [
      pending({ path: "a", state: "parked", why: "Conflict", waitsFor: "operator" }),
    ];
    const { of } = await leftovers();
    const own = of.filter(({ found }) => found.includes(world.base));
    expect(wrong(own)).toEqual(["note kept"]);
    expect(own[0]?.advice).toBe("see 'kodomount uploads'");
  });
});

describe("doctor: bad input", () => {
  it.each([
    [["doctor", "s3://"], /Cannot use the bucket "s3:\/\/"/],
    [["doctor", "ftp://x"], /the server goes to '--endpoint'/],
    [["doctor", "--state-dir", "/x"], /Cannot use '--state-dir' without a source, or with several/],
    [
      ["doctor", "models", "other", "--state-dir", "/x"],
      /Cannot use '--state-dir' without a source/,
    ],
    [["doctor", "--nonsense"], /unknown option '--nonsense'/],
  ])("%j is refused in one line, before anything is looked at", async (args, sentence) => {
    const { code, out, err } = await world.kodomount(args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(sentence);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });
});
