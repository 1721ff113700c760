// The reason to use this mount, on a real S3 server, measured by a proxy of the test's own: what a kill costs, who is ever
// shown half a file, and that nobody is held hostage by a dead network.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { PROVIDERS, toKey } from "../../src/model/mod.ts";
import { createS3Store, type ObjectStore } from "../../src/store/mod.ts";
import { type CountingProxy, startCountingProxy } from "../support/counting-proxy.ts";
import { sh, start, TestMount, until, whyNoMounts } from "../support/mount.ts";
import { type Rgw, startRgw, whyNoRgw } from "../support/rgw.ts";
import { tempDir } from "../support/temp.ts";

const MIB = 1024 * 1024;
/** 1 GiB, as the promise is stated; KODOMOUNT_ACCEPTANCE_MIB makes it quicker to try. */
const SIZE = Number(process.env["KODOMOUNT_ACCEPTANCE_MIB"] ?? 1024) * MIB;
const PART = 8 * MIB;
const IN_FLIGHT = 16 * PART;

const why = whyNoMounts() ?? whyNoRgw();
if (why !== undefined) console.log(`skipped: acceptance on Ceph RGW, since ${why}`);

let temp: Awaited<ReturnType<typeof tempDir>>;
let rgw: Rgw;
let proxy: CountingProxy;
let mount: TestMount;
let bucket: ObjectStore;

beforeEach(async () => {
  if (why !== undefined) return;
  temp = await tempDir();
  rgw = await startRgw();
  await rgw.createBucket("acceptance");
  proxy = await startCountingProxy(rgw.endpoint);
  const { accessKeyId, secretAccessKey, region } = rgw;
  const keys = { accessKeyId, secretAccessKey };
  mount = new TestMount(temp.path, {
    endpoint: proxy.endpoint,
    ...keys,
    region,
    bucket: "acceptance",
    provider: "generic",
  });
  // Straight to the gateway: what a stranger sees.
  const options = {
    endpoint: rgw.endpoint,
    region,
    bucket: "acceptance",
    prefix: "",
    provider: PROVIDERS.generic,
    credentials: { kind: "static" as const, ...keys },
    connections: 2,
  };
  bucket = createS3Store(options, { clock: systemClock, log: silentLog });
  await mount.start();
});

afterEach(async () => {
  if (why !== undefined) return;
  await mount[Symbol.asyncDispose]();
  bucket.close();
  await proxy[Symbol.asyncDispose]();
  await rgw[Symbol.asyncDispose]();
  await temp[Symbol.asyncDispose]();
});

const env = (): NodeJS.ProcessEnv => ({ DIR: mount.dir, SRC: join(temp.path, "src") });

async function sha(path: string): Promise<string> {
  const sum = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: MIB }))
    sum.update(piece as Buffer);
  return sum.digest("hex");
}

/** What HEAD says of `big`, all the while: it must be absent or whole. */
function watch(): { torn: () => string[]; stop: () => Promise<void> } {
  const seen: string[] = [];
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      const head = await bucket.head(toKey("big"));
      if (head !== undefined && head.size !== SIZE) seen.push(`${head.size} bytes`);
      await systemClock.sleep(20);
    }
  })();
  return {
    torn: () => seen,
    stop: async () => {
      stopped = true;
      await loop;
    },
  };
}

describe.skipIf(why !== undefined)("on Ceph RGW", () => {
  test("S3.1 SIGKILL of the mount at half, mount, the same cp again: at most the parts in flight are sent twice", async () => {
    await sh(`head -c ${SIZE} /dev/urandom > $SRC`, env());
    const watcher = watch();
    proxy.pace(150 * MIB);
    const cp = start("cp $SRC $DIR/big", env());
    await until("half has gone out", () => proxy.counts().bytesUp >= SIZE / 2, 120_000);
    await mount.kill();
    expect((await cp.ended).code).not.toBe(0);
    expect(await bucket.head(toKey("big"))).toBeUndefined();
    proxy.pace(undefined);
    await mount.start();
    await sh("cp $SRC $DIR/big", env(), 300_000);
    await watcher.stop();
    expect(watcher.torn()).toEqual([]);
    const { bytesUp } = proxy.counts();
    console.log(
      `cp of ${SIZE / MIB} MiB, killed at half: sent ${(bytesUp / SIZE).toFixed(3)} x its size`,
    );
    expect(bytesUp).toBeGreaterThanOrEqual(SIZE);
    expect(bytesUp).toBeLessThanOrEqual(SIZE + IN_FLIGHT + MIB);
    expect((await bucket.head(toKey("big")))?.size).toBe(SIZE);
    expect(await sha(join(mount.dir, "big"))).toBe(await sha(join(temp.path, "src")));
    expect((await mount.unmount()).code).toBe(0);
  }, 600_000);

  test("S3.2 SIGKILL of the mount while close waits: the next mount finishes alone", async () => {
    const size = 100 * MIB;
    await sh(`head -c ${size} /dev/urandom > $SRC`, env());
    proxy.pace(20 * MIB);
    const cp = start("cp $SRC $DIR/big", env());
    await until(
      "it is closed",
      async () => (await mount.status()).pending.some(({ state }) => state === "closed"),
      60_000,
    );
    await mount.kill();
    await cp.ended;
    proxy.pace(undefined);
    await mount.start();
    await until(
      "nothing is pending",
      async () => (await mount.status()).pending.length === 0,
      60_000,
    );
    expect((await bucket.head(toKey("big")))?.size).toBe(size);
    expect(await sha(join(mount.dir, "big"))).toBe(await sha(join(temp.path, "src")));
    expect(proxy.counts().bytesUp).toBeLessThanOrEqual(size + IN_FLIGHT + MIB);
  }, 180_000);

  for (const signal of ["SIGINT", "SIGKILL"] as const)
    test(`S4.3 close on a dead network: ${signal} of the closing process works at once, and the save goes on`, async () => {
      const size = 60 * MIB;
      await sh(`head -c ${size} /dev/urandom > $SRC`, env());
      await sh("echo warm > $DIR/warm", env());
      await until(
        "the network is known to work",
        async () => (await mount.status()).pending.length === 0,
      );
      proxy.pace(20 * MIB);
      const cp = start("cp $SRC $DIR/big", env());
      await until("parts go out", () => proxy.counts().bytesUp >= 12 * MIB);
      await proxy.down();
      await until(
        "close waits",
        async () => (await mount.status()).pending.some(({ state }) => state === "closed"),
        60_000,
      );
      const before = performance.now();
      cp.kill(signal);
      await cp.ended;
      expect(performance.now() - before).toBeLessThan(5000);
      proxy.pace(undefined);
      await proxy.up();
      await until(
        "nothing is pending",
        async () => (await mount.status()).pending.length === 0,
        90_000,
      );
      expect((await bucket.head(toKey("big")))?.size).toBe(size);
      expect(await sha(join(mount.dir, "big"))).toBe(await sha(join(temp.path, "src")));
    }, 180_000);
});
