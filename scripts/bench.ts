// `npm run bench`: ratios of one run on a real S3 server (Ceph RGW on loopback). Absolute figures are this machine's; the
// ratios are what docs/benchmarks.md keeps. KODOMOUNT_BENCH_MIB sets the size (1024).

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Semaphore, silentLog, systemClock } from "../src/base/mod.ts";
import { PROVIDERS, toKey, toPartNumber, toSha256 } from "../src/model/mod.ts";
import { createS3Store, type StoreOptions } from "../src/store/mod.ts";
import { sh, TestMount } from "../test/support/mount.ts";
import { startRgw } from "../test/support/rgw.ts";
import { tempDir } from "../test/support/temp.ts";
import { cpuOf, median, peakRssMib } from "./figures.ts";

const MIB = 1024 * 1024;
const SIZE = Number(process.env["KODOMOUNT_BENCH_MIB"] ?? 1024) * MIB;
const PART = 8 * MIB;
const LANES = 16;
const RUNS = 3;

interface Figures {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Parts of a file sent as the product sends them: hashed, signed, 16 at a time, by one process without a mount. */
async function rawUpload(options: StoreOptions, file: string): Promise<Figures> {
  const before = process.cpuUsage();
  const start = performance.now();
  const store = createS3Store(options, { clock: systemClock, log: silentLog });
  const key = toKey(`raw-${start}`);
  const { uploadId } = await store.createUpload({ key, metadata: {} });
  const lanes = new Semaphore(LANES);
  const { open } = await import("node:fs/promises");
  const handle = await open(file, "r");
  const send = async (
    index: number,
  ): Promise<{ partNumber: ReturnType<typeof toPartNumber>; etag: never }> => {
    using _ = await lanes.acquire();
    const bytes = Buffer.allocUnsafe(Math.min(PART, SIZE - index * PART));
    await handle.read(bytes, 0, bytes.length, index * PART);
    const sha256 = toSha256(createHash("sha256").update(bytes).digest("hex"));
    const partNumber = toPartNumber(index + 1);
    const { etag } = await store.uploadPart({
      key,
      uploadId,
      partNumber,
      body: { kind: "bytes", bytes },
      sha256,
    });
    return { partNumber, etag: etag as never };
  };
  const parts = await Promise.all(
    Array.from({ length: Math.ceil(SIZE / PART) }, (_, index) => send(index)),
  );
  await store.complete({ key, uploadId, parts });
  const seconds = (performance.now() - start) / 1000;
  await handle.close();
  await store.delete(key);
  store.close();
  const { user, system } = process.cpuUsage(before);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}

async function main(): Promise<void> {
  await using temp = await tempDir();
  await using rgw = await startRgw();
  await rgw.createBucket("bench");
  const keys = { accessKeyId: rgw.accessKeyId, secretAccessKey: rgw.secretAccessKey };
  const file = join(temp.path, "source");
  await sh(`head -c ${SIZE} /dev/urandom > ${file}`);
  const options: StoreOptions = {
    endpoint: rgw.endpoint,
    region: rgw.region,
    bucket: "bench",
    prefix: "",
    provider: PROVIDERS.generic,
    credentials: { kind: "static", ...keys },
    connections: LANES,
  };
  await using mount = new TestMount(temp.path, {
    endpoint: rgw.endpoint,
    ...keys,
    region: rgw.region,
    bucket: "bench",
    provider: "generic",
  });
  await mount.start();
  const { pid } = await mount.status();
  const rows = {
    disk: [] as number[],
    raw: [] as number[],
    rawCpu: [] as number[],
    mount: [] as number[],
    mountCpu: [] as number[],
    sent: [] as number[],
  };
  for (let run = 0; run < RUNS; run += 1) {
    let start = performance.now();
    await sh(`cp ${file} ${join(temp.path, "copy")} && sync -d ${join(temp.path, "copy")}`);
    rows.disk.push((performance.now() - start) / 1000);
    const raw = await rawUpload(options, file);
    rows.raw.push(raw.seconds);
    rows.rawCpu.push(raw.cpuSeconds);
    const [cpu, before] = [await cpuOf(pid), (await mount.status()).bytesAcknowledged];
    start = performance.now();
    await sh(`cp ${file} ${mount.dir}/file-${run}`, {}, 600_000);
    rows.mount.push((performance.now() - start) / 1000);
    rows.mountCpu.push((await cpuOf(pid)) - cpu);
    rows.sent.push(((await mount.status()).bytesAcknowledged - before) / (await stat(file)).size);
    await sh(`rm ${mount.dir}/file-${run}`);
  }
  const gib = SIZE / (1024 * MIB);
  console.log(
    `cp of ${SIZE / MIB} MiB to durable on Ceph RGW, medians of ${RUNS} interleaved runs`,
  );
  console.log(`  disk copy with sync  ${median(rows.disk).toFixed(2)} s`);
  console.log(
    `  raw uploader         ${median(rows.raw).toFixed(2)} s  ${(median(rows.rawCpu) / gib).toFixed(2)} CPU s/GiB`,
  );
  console.log(
    `  kodomount            ${median(rows.mount).toFixed(2)} s  ${(median(rows.mountCpu) / gib).toFixed(2)} CPU s/GiB  peak RSS ${(await peakRssMib(pid)).toFixed(0)} MiB  sent ${median(rows.sent).toFixed(3)} x size`,
  );
  console.log(
    `  kodomount / raw      ${(median(rows.mount) / median(rows.raw)).toFixed(2)} (goal 1.30)`,
  );
  console.log(`  kodomount / disk     ${(median(rows.mount) / median(rows.disk)).toFixed(2)}`);
  await mount.unmount();
}

await main();
