// What programs cost on a real S3 server: a program that renames at the end is charged for its bytes once, and one that changes
// a little of much for that little.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toKey } from "../../src/model/mod.ts";
import {
  beginAcceptance,
  bucket,
  env,
  inTemp,
  MIB,
  mount,
  proxy,
  SIZE,
  whyNoAcceptance,
} from "../support/acceptance.ts";
import { sh, sha, until } from "../support/mount.ts";

const PART = 8 * MIB;

if (whyNoAcceptance !== undefined)
  console.log(`skipped: what programs cost on Ceph RGW, since ${whyNoAcceptance}`);

beginAcceptance();

/** As safetensors 0.8 saves: a private temporary file, its size, its bytes, the rename, and then the close. */
const SAFETENSORS = `
import os, sys
d, src = sys.argv[1:3]
fd = os.open(d + "/.tmpAb12cD", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
os.ftruncate(fd, os.stat(src).st_size)
with open(src, "rb") as f:
    while piece := f.read(1 << 20): os.write(fd, piece)
os.rename(d + "/.tmpAb12cD", d + "/big")
os.close(fd)
`;

const published = (): Promise<void> =>
  until("nothing is pending", async () => (await mount.status()).pending.length === 0, 60_000);

/** Sent once, under its own name, without a copy or a deletion. */
async function expectSentOnce(): Promise<void> {
  const { requests, bytesUp } = proxy.counts();
  console.log(`${SIZE / MIB} MiB: sent ${(bytesUp / SIZE).toFixed(4)} x its size`);
  expect(bytesUp).toBeGreaterThanOrEqual(SIZE);
  expect(bytesUp).toBeLessThanOrEqual(SIZE * 1.01);
  expect(requests.CopyObject ?? 0).toBe(0);
  expect(requests.DeleteObject ?? 0).toBe(0);
  expect(requests.AbortMultipartUpload ?? 0).toBe(0);
  expect(requests.CreateMultipartUpload).toBe(1);
  expect((await bucket.head(toKey("big")))?.size).toBe(SIZE);
  expect(await sha(join(mount.dir, "big"))).toBe(await sha(inTemp("src")));
}

describe.skipIf(whyNoAcceptance !== undefined)("on Ceph RGW", () => {
  test("S5.7 rsync -a: bytes on the wire at most 1.01 times the size, no copy, no deletion; again: nothing", async () => {
    await sh(
      `mkdir $SRC.d && head -c ${SIZE} /dev/urandom > $SRC.d/big && ln $SRC.d/big $SRC`,
      env(),
    );
    proxy.reset();
    await sh("rsync -a $SRC.d/big $DIR/", env(), 300_000);
    await published();
    await expectSentOnce();
    proxy.reset();
    expect(await sh("rsync -ai $SRC.d/big $DIR/", env())).toBe("");
    await mount.unmount();
    await mount.forget();
    await mount.start();
    proxy.reset();
    expect(await sh("rsync -ai $SRC.d/big $DIR/", env())).toBe("");
    expect(proxy.counts().bytesUp).toBe(0);
  }, 600_000);

  test("S5.8 safetensors: bytes on the wire at most 1.01 times the size, no copy, no deletion", async () => {
    await sh(`head -c ${SIZE} /dev/urandom > $SRC`, env());
    await writeFile(inTemp("save.py"), SAFETENSORS);
    proxy.reset();
    await sh(`python3 ${inTemp("save.py")} $DIR $SRC`, env(), 300_000);
    await expectSentOnce();
  }, 600_000);

  test("S2.7 cp over its predecessor with 8 MiB changed sends at most 3 parts, and one byte appended moves less than two", async () => {
    await sh(`head -c ${SIZE} /dev/urandom > $SRC; cp $SRC $DIR/big`, env(), 300_000);
    await sh("dd if=/dev/urandom of=$SRC bs=1M seek=13 count=8 conv=notrunc status=none", env());
    proxy.reset();
    await sh("cp $SRC $DIR/big", env(), 300_000);
    console.log(`8 MiB changed: sent ${(proxy.counts().bytesUp / PART).toFixed(2)} parts`);
    expect(proxy.counts().bytesUp).toBeLessThanOrEqual(3 * PART + MIB);
    expect(await sha(join(mount.dir, "big"))).toBe(await sha(inTemp("src")));
    proxy.reset();
    await sh("printf x >> $DIR/big; printf x >> $SRC", env(), 300_000);
    await published();
    const { bytesUp, bytesDown, requests } = proxy.counts();
    console.log(`1 byte appended: moved ${((bytesUp + bytesDown) / PART).toFixed(3)} parts`);
    expect(bytesUp + bytesDown).toBeLessThan(2 * PART);
    expect(requests.CopyObject ?? 0).toBe(0);
    expect(await sha(join(mount.dir, "big"))).toBe(await sha(inTemp("src")));
  }, 600_000);
});
