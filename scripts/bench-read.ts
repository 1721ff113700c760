// `npm run bench:read`: reading, in one run on a real S3 server (Ceph RGW on loopback): a large object in sequence and at
// random, and long listings, beside the same by a client without a mount. KODOMOUNT_BENCH_MIB sets the size (1024),
// KODOMOUNT_BENCH_ROW=sequential,cache,random,list picks rows, KODOMOUNT_BENCH_LIST the sizes of directories.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { Semaphore, silentLog, systemClock } from "../src/base/mod.ts";
import { PROVIDERS, toKey, toSha256 } from "../src/model/mod.ts";
import { createS3Store, type ObjectStore, type StoreOptions } from "../src/store/mod.ts";
import { type Endpoint, sh, TestMount } from "../test/support/mount.ts";
import { startRgw } from "../test/support/rgw.ts";
import { tempDir } from "../test/support/temp.ts";
import { cpuOf, median, peakRssMib } from "./figures.ts";

const MIB = 1024 * 1024;
const SIZE = Number(process.env["KODOMOUNT_BENCH_MIB"] ?? 1024) * MIB;
const ROWS = new Set(
  (process.env["KODOMOUNT_BENCH_ROW"] ?? "sequential,cache,random,list").split(","),
);
const RUNS = 3;
/** Objects in a directory. */
const LISTS = (process.env["KODOMOUNT_BENCH_LIST"] ?? "10000,100000").split(",").map(Number);
const LANES = 8;
const RANGE = 8 * MIB;
const KEY = toKey("large.bin");

/** Seconds, and CPU seconds of the process that reads. */
interface Figures {
  readonly seconds: number;
  readonly cpu: number;
}

/** All of an object by ranged GETs, eight at a time: what a client without a mount reaches. */
async function rawRead(store: ObjectStore): Promise<Figures> {
  const head = await store.head(KEY);
  if (head === undefined) throw new Error(`${KEY} is not there`);
  const lanes = new Semaphore(LANES);
  const [cpu, start] = [process.cpuUsage(), performance.now()];
  const get = async (offset: number): Promise<void> => {
    using _ = await lanes.acquire();
    const range = { offset, length: Math.min(RANGE, head.size - offset) };
    await store.read({ key: KEY, etag: head.etag, range }, () => {});
  };
  await Promise.all(
    Array.from({ length: Math.ceil(head.size / RANGE) }, (_, index) => get(index * RANGE)),
  );
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
}

/** A fresh mount, so that nothing is known yet, for one command. */
async function cold(mount: TestMount, command: string): Promise<Figures & { rssMib: number }> {
  await mount.start();
  const { pid } = await mount.status();
  const [cpu, start] = [await cpuOf(pid), performance.now()];
  await sh(command, {}, 600_000);
  const seconds = (performance.now() - start) / 1000;
  const figures = { seconds, cpu: (await cpuOf(pid)) - cpu, rssMib: await peakRssMib(pid) };
  await mount.unmount();
  return figures;
}

function report(name: string, runs: readonly Figures[], mib: number): number {
  const seconds = median(runs.map((run) => run.seconds));
  const cpu = median(runs.map((run) => run.cpu));
  console.log(
    `  ${name.padEnd(34)} ${seconds.toFixed(2)} s  ${(mib / seconds).toFixed(0)} MiB/s  ${((cpu * 1024) / mib).toFixed(2)} CPU s/GiB`,
  );
  return seconds;
}

async function sequential(store: ObjectStore, mount: TestMount): Promise<void> {
  const raw: Figures[] = [];
  const mounted: (Figures & { rssMib: number })[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    raw.push(await rawRead(store));
    mounted.push(await cold(mount, `dd if=${mount.dir}/${KEY} of=/dev/null bs=1M status=none`));
  }
  console.log(`Sequential read of ${SIZE / MIB} MiB, cold, medians of ${RUNS} interleaved runs`);
  const bare = report(`ranged GETs, ${LANES} x ${RANGE / MIB} MiB`, raw, SIZE / MIB);
  const ours = report("kodomount", mounted, SIZE / MIB);
  console.log(`  speed against the raw client       ${(bare / ours).toFixed(2)} (goal 0.90)`);
  console.log(
    `  peak RSS                           ${Math.max(...mounted.map((run) => run.rssMib)).toFixed(0)} MiB (goal 300)`,
  );
}

/** The same with a cache on disk: what filling it costs, and what comes from it after another start. */
async function cached(mount: TestMount, dir: string): Promise<void> {
  const rows = { cold: [] as Figures[], warm: [] as Figures[] };
  for (let run = 0; run < RUNS; run += 1) {
    await sh(`rm -rf ${dir}`);
    for (const row of [rows.cold, rows.warm])
      row.push(await cold(mount, `dd if=${mount.dir}/${KEY} of=/dev/null bs=1M status=none`));
  }
  console.log(`The same with --cache-dir, medians of ${RUNS} runs`);
  report("nothing in the cache", rows.cold, SIZE / MIB);
  report("all of it, another mount", rows.warm, SIZE / MIB);
}

/** Reads of `size` bytes at places that do not follow each other. */
async function random(mount: TestMount, size: number, count: number): Promise<void> {
  const program = [
    "import os, random, sys",
    "random.seed(1)",
    "file = os.open(sys.argv[1], os.O_RDONLY)",
    "os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)",
    "end = os.fstat(file).st_size // int(sys.argv[2])",
    "for _ in range(int(sys.argv[3])): os.pread(file, int(sys.argv[2]), random.randrange(end) * int(sys.argv[2]))",
  ].join("\n");
  const figures = await cold(mount, `python3 -c '${program}' ${mount.dir}/${KEY} ${size} ${count}`);
  const each = (figures.seconds / count) * 1000;
  console.log(
    `Random reads of ${size / 1024} KiB, cold: ${each.toFixed(2)} ms each (${count} of them)`,
  );
}

/** `count` small objects in one directory. */
async function fill(store: ObjectStore, directory: string, count: number): Promise<void> {
  const bytes = Buffer.from("x");
  const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
  const lanes = new Semaphore(16);
  const put = async (index: number): Promise<void> => {
    using _ = await lanes.acquire();
    const key = toKey(`${directory}/file-${String(index).padStart(7, "0")}`);
    await store.put({ key, body: { kind: "bytes", bytes }, sha256, metadata: {} });
  };
  await Promise.all(Array.from({ length: count }, (_, index) => put(index)));
}

/** All pages of a directory: what `ls` cannot be faster than. */
async function bareListing(store: ObjectStore, directory: string): Promise<number> {
  const start = performance.now();
  let token: string | undefined;
  do ({ token } = await store.list({ prefix: toKey(`${directory}/`), delimiter: true, token }));
  while (token !== undefined);
  return (performance.now() - start) / 1000;
}

async function list(store: ObjectStore, mount: TestMount, count: number): Promise<void> {
  const directory = `list-${count}`;
  await fill(store, directory, count);
  const rows = { bare: [] as number[], long: [] as number[], first: [] as number[] };
  let rssMib = 0;
  for (let run = 0; run < RUNS; run += 1) {
    rows.bare.push(await bareListing(store, directory));
    const long = await cold(mount, `ls -l ${mount.dir}/${directory} | tail -1`);
    rows.long.push(long.seconds);
    rssMib = Math.max(rssMib, long.rssMib);
    rows.first.push((await cold(mount, `ls -f ${mount.dir}/${directory} | head -3`)).seconds);
  }
  const [bare, long] = [median(rows.bare), median(rows.long)];
  console.log(`A directory of ${count} objects, cold, medians of ${RUNS} interleaved runs`);
  console.log(`  pages of the bare listing          ${bare.toFixed(2)} s`);
  console.log(`  ls -l                              ${long.toFixed(2)} s`);
  console.log(`  ls -l / bare listing               ${(long / bare).toFixed(2)} (goal 1.20)`);
  console.log(`  ls -f, all of it                   ${median(rows.first).toFixed(2)} s`);
  console.log(`  peak RSS                           ${rssMib.toFixed(0)} MiB (goal 300)`);
}

async function main(): Promise<void> {
  await using temp = await tempDir();
  await using rgw = await startRgw();
  await rgw.createBucket("bench");
  const keys = { accessKeyId: rgw.accessKeyId, secretAccessKey: rgw.secretAccessKey };
  const options: StoreOptions = {
    endpoint: rgw.endpoint,
    region: rgw.region,
    bucket: "bench",
    prefix: "",
    provider: PROVIDERS.generic,
    credentials: { kind: "static", ...keys },
    connections: 16,
  };
  const store = createS3Store(options, { clock: systemClock, log: silentLog });
  const bucket: Endpoint = {
    endpoint: rgw.endpoint,
    ...keys,
    region: rgw.region,
    bucket: "bench",
    provider: "generic",
  };
  const mount = new TestMount(temp.path, bucket);
  await using _ = mount;
  const file = join(temp.path, "source");
  await sh(`head -c ${SIZE} /dev/urandom > ${file}`);
  await mount.start();
  await sh(`cp ${file} ${mount.dir}/${KEY}`, {}, 600_000);
  await mount.unmount();
  if (ROWS.has("sequential")) await sequential(store, mount);
  if (ROWS.has("cache")) {
    const dir = join(temp.path, "cache");
    const options = ["--cache-dir", dir, "--cache-size", `${Math.ceil(SIZE / MIB) * 2}M`];
    await cached(new TestMount(temp.path, bucket, options), dir);
  }
  if (ROWS.has("random")) {
    await random(mount, 4096, 400);
    await random(mount, MIB, 200);
  }
  if (ROWS.has("list")) for (const count of LISTS) await list(store, mount, count);
  store.close();
}

await main();
