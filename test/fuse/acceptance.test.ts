// The reason to use this mount, on a real S3 server, measured by a proxy of the test's own: what a kill costs, who is ever
// shown half a file, and that nobody is held hostage by a dead network.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/mod.ts";
import { toKey } from "../../src/model/mod.ts";
import {
  beginAcceptance,
  bucket,
  env,
  inTemp,
  LANES,
  MIB,
  mount,
  proxy,
  SIZE,
  whyNoAcceptance,
} from "../support/acceptance.ts";
import { sh, sha, start, until } from "../support/mount.ts";

const PART = 8 * MIB;
const IN_FLIGHT = LANES * PART;

if (whyNoAcceptance !== undefined)
  console.log(`skipped: acceptance on Ceph RGW, since ${whyNoAcceptance}`);

beginAcceptance();

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

describe.skipIf(whyNoAcceptance !== undefined)("on Ceph RGW", () => {
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
    expect(await sha(join(mount.dir, "big"))).toBe(await sha(inTemp("src")));
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
    expect(await sha(join(mount.dir, "big"))).toBe(await sha(inTemp("src")));
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
      expect(await sha(join(mount.dir, "big"))).toBe(await sha(inTemp("src")));
    }, 180_000);
});
