// `npm run bench:resume`: bytes that are sent twice after a SIGKILL of the mount, or of the program that saves, at several
// shares of a file and at each step of its way. On Ceph RGW where it is installed, else on the embedded store.
// KODOMOUNT_BENCH_MIB sets the size (1024).

import { join } from "node:path";
import { silentLog, systemClock } from "../src/base/mod.ts";
import { startEmulator } from "../src/emulator/mod.ts";
import { type Kill, measureResume } from "../test/fault/harness/resume.ts";
import type { Endpoint } from "../test/support/mount.ts";
import { startRgw, whyNoRgw } from "../test/support/rgw.ts";
import { tempDir } from "../test/support/temp.ts";

const MIB = 1024 * 1024;
const SIZE = Number(process.env["KODOMOUNT_BENCH_MIB"] ?? 1024) * MIB;
const PART = 8 * MIB;
const PARTS = Math.ceil(SIZE / PART);
const UPLOADS = 8;
/** Slow enough to meet a moment, fast enough to be done today. */
const BYTES_PER_SECOND = 100 * MIB;
const SHARES = [0.1, 0.5, 0.9, 0.99];
/** The way of a large file. Those of a part are reached once a part: the kill falls at half. */
const STEPS = [
  "save.created",
  "part.sealed",
  "upload.created",
  "upload.recorded",
  "part.sending",
  "part.sent",
  "part.acknowledged",
  "save.closing",
  "save.closed",
  "save.completing",
  "complete.sent",
  "object.verified",
];

type Store = Endpoint & AsyncDisposable & { readonly name: string };

async function startStore(base: string): Promise<Store> {
  const bucket = "resume";
  if (whyNoRgw() === undefined) {
    const rgw = await startRgw();
    await rgw.createBucket(bucket);
    return {
      ...rgw,
      [Symbol.asyncDispose]: () => rgw[Symbol.asyncDispose](),
      bucket,
      provider: "generic",
      name: "Ceph RGW",
    };
  }
  const keys = { accessKeyId: "test", secretAccessKey: "testsecret", region: "test" };
  const dir = join(base, "bucket");
  const emulator = await startEmulator({
    dir,
    buckets: [bucket],
    ...keys,
    clock: systemClock,
    log: silentLog,
  });
  const { endpoint } = emulator;
  const dispose = (): Promise<void> => emulator.stop();
  return {
    endpoint,
    ...keys,
    bucket,
    provider: "kodo",
    name: "the embedded store",
    [Symbol.asyncDispose]: dispose,
  };
}

function kills(): Kill[] {
  const points = [
    ...SHARES.map((share) => ({ share })),
    ...STEPS.map((step) => ({ step, count: step.startsWith("part.") ? Math.floor(PARTS / 2) : 1 })),
  ];
  return (["mount", "writer"] as const).flatMap((who) => points.map((at) => ({ who, at })));
}

function told({ at }: Kill): string {
  return "share" in at
    ? `${at.share * 100} %`
    : `\`${at.step}\`${at.count > 1 ? ` (${at.count})` : ""}`;
}

await using temp = await tempDir("resume");
await using store = await startStore(temp.path);
console.log(
  `${SIZE / MIB} MiB on ${store.name}, ${UPLOADS} parts of ${PART / MIB} MiB under way: ${(UPLOADS * PART) / MIB} MiB\n`,
);
console.log("| SIGKILL of | at | sent twice, MiB | parts |\n| --- | --- | ---: | ---: |");
let worst = 0;
for (const [index, kill] of kills().entries()) {
  const { sentTwice } = await measureResume(
    {
      base: join(temp.path, String(index)),
      store,
      size: SIZE,
      partSize: PART,
      uploads: UPLOADS,
      bytesPerSecond: BYTES_PER_SECOND,
    },
    kill,
  );
  worst = Math.max(worst, sentTwice);
  console.log(
    `| ${kill.who} | ${told(kill)} | ${(sentTwice / MIB).toFixed(1)} | ${(sentTwice / PART).toFixed(1)} |`,
  );
}
console.log(`\nworst: ${(worst / MIB).toFixed(1)} MiB`);
process.exitCode = worst <= UPLOADS * PART ? 0 : 1;
