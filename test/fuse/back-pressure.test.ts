// More is written than the spill, the disk or the network takes, by real programs. KODOMOUNT_BACK_PRESSURE=large takes the
// sizes that are promised: 64 writers over 1 GiB, a file of 10 GiB.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import { PROVIDERS, toKey } from "../../src/model/mod.ts";
import { createS3Store, type ObjectStore } from "../../src/store/mod.ts";
import { run, sh, start, TestMount, until, whyNoMounts } from "../support/mount.ts";
import { tempDir } from "../support/temp.ts";

const why = whyNoMounts();
if (why !== undefined) console.log(`skipped: back-pressure on a mount, since ${why}`);

const MIB = 1024 * 1024;
const KEYS = { accessKeyId: "test", secretAccessKey: "testsecret" };
const isLarge = process.env["KODOMOUNT_BACK_PRESSURE"] === "large";
const LARGE_MS = 3_600_000;
const TEST_MS = isLarge ? LARGE_MS : 180_000;
/** Of the daemon, whatever is written. */
const RSS_MAX_KIB = 300 * 1024;

let temp: Awaited<ReturnType<typeof tempDir>>;
let emulator: Emulator;
let mount: TestMount;
let bucket: ObjectStore;

beforeEach(async () => {
  if (why !== undefined) return;
  temp = await tempDir();
  emulator = await startEmulator({
    dir: join(temp.path, "bucket"),
    buckets: ["bucket"],
    ...KEYS,
    region: "test",
    clock: systemClock,
    log: silentLog,
  });
  const { endpoint } = emulator;
  const options = {
    ...{ endpoint, region: "test", bucket: "bucket", prefix: "", connections: 2 },
    provider: PROVIDERS.kodo,
    credentials: { kind: "static" as const, ...KEYS },
  };
  bucket = createS3Store(options, { clock: systemClock, log: silentLog });
});

afterEach(async () => {
  if (why !== undefined) return;
  await mount[Symbol.asyncDispose]();
  await run("umount", ["-l", mount.stateDir]); // where a disk of its own was mounted for it
  bucket.close();
  await emulator.stop();
  await temp[Symbol.asyncDispose]();
});

async function begin(...options: string[]): Promise<void> {
  const endpoint = { endpoint: emulator.endpoint, region: "test", bucket: "bucket" };
  mount = new TestMount(temp.path, { ...endpoint, ...KEYS, provider: "kodo" }, options);
  await mount.start();
}

/** An outage of the store, for parts, until it is called. */
function outage(): () => void {
  const fault = { kind: "status", status: 503, code: "SlowDown" } as const;
  const order = emulator.order({ kind: "UploadPart", fault, count: 1_000_000 });
  return () => order.cancel();
}

/** Of the daemon at its most, KiB. */
async function rssKib(): Promise<number> {
  const { pid } = await mount.status();
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]);
}

/** Fails when for long nothing arrives at the store, with who waits for what. */
async function watched<T>(task: Promise<T>): Promise<T> {
  let isOver = false;
  const watch = async (): Promise<never> => {
    let last = -1;
    let since = performance.now();
    while (!isOver) {
      const now = emulator.requests().length;
      if (now !== last) since = performance.now();
      last = now;
      if (performance.now() - since > 60_000)
        throw new Error(`a deadlock: ${JSON.stringify(await mount.status())}`);
      await systemClock.sleep(500);
    }
    return new Promise<never>(() => undefined);
  };
  try {
    return await Promise.race([task, watch()]);
  } finally {
    isOver = true;
  }
}

/** Writes files by threads that all write at once; prints the name and hash of each that was closed, or its errno. */
const WRITERS = `
import errno, hashlib, os, sys, threading
d, count, size, piece = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), 1 << 18
lock = threading.Lock()
def save(n):
    sha, word = hashlib.sha256(), os.urandom(4096)
    try:
        fd = os.open("%s/file-%d" % (d, n), os.O_CREAT | os.O_WRONLY, 0o644)
        try:
            at = 0
            while at < size:
                data = ((b"%016d" % (at + n)) + word * (piece // 4096 + 1))[:min(piece, size - at)]
                os.write(fd, data); sha.update(data); at += len(data)
        finally:
            os.close(fd)
        say = sha.hexdigest()
    except OSError as e:
        say = errno.errorcode[e.errno]
    with lock:
        print("file-%d %s" % (n, say), flush=True)
threads = [threading.Thread(target=save, args=(n,)) for n in range(count)]
for t in threads: t.start()
for t in threads: t.join()
`;

async function writers(count: number, size: number): Promise<Map<string, string>> {
  const args = ["-c", WRITERS, mount.dir, String(count), String(size)];
  const { code, stdout, stderr } = await watched(run("python3", args, { timeoutMs: TEST_MS }));
  expect(stderr + code).toBe("0");
  const lines = stdout.trim().split("\n");
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}

/** The hash of what is in the bucket, asked for piece by piece. */
async function hashInBucket(key: string): Promise<string | undefined> {
  const head = await bucket.head(toKey(key));
  if (head === undefined) return undefined;
  const sum = createHash("sha256");
  for (let offset = 0; offset < head.size; offset += 16 * MIB) {
    const length = Math.min(16 * MIB, head.size - offset);
    sum.update((await bucket.get({ key: toKey(key), range: { offset, length } })).bytes);
  }
  return sum.digest("hex");
}

describe.skipIf(why !== undefined)("back-pressure on a mount", () => {
  test(
    "S2.14 64 writers over a small spill: no deadlock, no lost byte, bounded memory",
    async () => {
      const [limit, part, size] = isLarge ? ["1G", "8M", 100 * MIB] : ["64M", "1M", 3 * MIB + 77];
      await begin("--spill-limit", limit, "--part-size", part);
      const saved = await writers(64, size);
      expect(saved.size).toBe(64);
      for (const [name, hash] of saved) expect(await hashInBucket(name), name).toBe(hash);
      const rss = await rssKib();
      console.log(`64 writers over ${limit}: ${Math.round(rss / 1024)} MiB resident at most`);
      expect(rss).toBeLessThanOrEqual(RSS_MAX_KIB);
      const { code, stderr } = await mount.unmount();
      expect(stderr + code).toBe("0");
    },
    TEST_MS,
  );

  test(
    "S2.16 cp of a file of ten times the bound: complete when it returns, bounded memory",
    async () => {
      const [limit, part, size] = isLarge ? ["1G", "8M", 10_240] : ["16M", "1M", 160];
      await begin("--spill-limit", limit, "--part-size", part);
      const source = join(temp.path, "source");
      await sh(`head -c ${size}M /dev/urandom > ${source}`, {}, TEST_MS);
      await watched(sh(`cp ${source} ${mount.dir}/big`, {}, TEST_MS));
      const sum = await sh(`sha256sum < ${source}`, {}, TEST_MS);
      expect(await hashInBucket("big")).toBe(sum.split(" ")[0]);
      const rss = await rssKib();
      console.log(`${size} MiB over ${limit}: ${Math.round(rss / 1024)} MiB resident at most`);
      expect(rss).toBeLessThanOrEqual(RSS_MAX_KIB);
      expect(await mount.log()).toMatch(/big is larger than the spill has room for/);
    },
    TEST_MS,
  );

  test("S2.14 the disk of the state directory fills up: files go on as streaming ones, the store has every byte", async () => {
    await sh(`mkdir -p ${temp.path}/state && mount -t tmpfs -o size=64m none ${temp.path}/state`);
    await begin("--spill-limit", "10G", "--part-size", "1M");
    const saved = await writers(4, 40 * MIB);
    for (const [name, hash] of saved) expect(await hashInBucket(name), name).toBe(hash);
    const { code, stderr } = await mount.unmount();
    expect(stderr + code).toBe("0");
  });

  test("S2.14 the disk is full for good: ENOSPC, and what was closed before is safe", async () => {
    await sh(`mkdir -p ${temp.path}/state && mount -t tmpfs -o size=64m none ${temp.path}/state`);
    await begin("--spill-limit", "10G", "--part-size", "1M");
    await sh(
      `head -c 3000000 /dev/urandom > ${temp.path}/source; cp ${temp.path}/source ${mount.dir}/before`,
    );
    // Somebody else takes what is left, all of it.
    await sh(`cat /dev/zero > ${temp.path}/state/other || true`);
    const saved = await writers(4, 8 * MIB);
    const failures = [...saved.values()].filter((say) => !/^[0-9a-f]{64}$/.test(say));
    expect(new Set(failures)).toEqual(new Set(["ENOSPC"]));
    for (const [name, say] of saved)
      expect(await hashInBucket(name), name).toBe(say === "ENOSPC" ? undefined : say);
    await sh(`rm ${temp.path}/state/other`);
    await sh(`cp ${temp.path}/source ${mount.dir}/after`);
    const sum = (await sh(`sha256sum < ${temp.path}/source`)).split(" ")[0];
    for (const name of ["before", "after"]) expect(await hashInBucket(name), name).toBe(sum);
  });

  test("S2.15 a paced writer and one that waits for room can be ended while the network is down", async () => {
    for (const [limit, mode] of [
      ["128M", "commit"],
      ["8M", "local"],
    ] as const) {
      await begin("--spill-limit", limit, "--part-size", "1M", "--close", mode);
      const over = outage();
      const line = `dd if=/dev/zero of=${mount.dir}/stuck bs=1M count=200 status=none`;
      const writer = start(line, mount.env);
      let size = "";
      await until("it stands still", async () => {
        const before = size;
        size = await sh(`sleep 0.5; stat -c %s ${mount.dir}/stuck`);
        return before === size && Number(size) > 4 * MIB;
      });
      expect(Number(size)).toBeLessThan(100 * MIB);
      await sh(`echo small > ${mount.dir}/other; cat ${mount.dir}/other`);
      // Not SIGINT: dd closes its file after that, which waits as every close does.
      writer.kill("SIGTERM");
      expect((await writer.ended).signal).toBe("SIGTERM");
      over();
      await until("it is interrupted", async () =>
        (await mount.status()).pending.some(({ state }) => state === "interrupted"),
      );
      await mount[Symbol.asyncDispose]();
      await mount.forget();
    }
  });
});
