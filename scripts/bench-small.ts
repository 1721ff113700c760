// `npm run bench:small`: many small files by `tar x`, beside the same into a local directory, on the emulator with a
// latency added to each request. KODOMOUNT_BENCH_FILES sets how many (10,000), KODOMOUNT_BENCH_LATENCY the milliseconds (40).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sh, TestMount } from "../test/support/mount.ts";
import { tempDir } from "../test/support/temp.ts";
import { cpuOf } from "./figures.ts";

const FILES = Number(process.env["KODOMOUNT_BENCH_FILES"] ?? 10_000);
const LATENCY_MS = Number(process.env["KODOMOUNT_BENCH_LATENCY"] ?? 40);
const FILE_SIZE = 4096;
/** So many files lie in one directory of the first row. */
const A_DIRECTORY = 10;
const KEYS = { accessKeyId: "bench", secretAccessKey: "bench-secret" };
const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const TAR_TIMEOUT_MS = 30 * 60_000;

interface Store extends AsyncDisposable {
  readonly endpoint: string;
  readonly pid: number;
  /** Requests so far, those of our own control pages not counted. */
  requests(): Promise<number>;
}

interface Row {
  readonly name: string;
  readonly archive: string;
  readonly options: readonly string[];
}

/** The emulator in a process of its own, with a latency on each request. */
async function startStore(dir: string): Promise<Store> {
  const env = {
    ...process.env,
    KODO_ACCESS_KEY: KEYS.accessKeyId,
    KODO_SECRET_KEY: KEYS.secretAccessKey,
  };
  const args = [MAIN, "emulator", dir, "--port", "0", "--bucket", "bench", "--region", "bench"];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const endpoint = /http:\S+/.exec(line.toString())?.[0];
  if (endpoint === undefined) throw new Error(`The emulator says: ${line.toString()}`);
  const fault = { kind: "slow", delayMs: LATENCY_MS };
  await fetch(`${endpoint}/-/orders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ kind: "any", count: Number.MAX_SAFE_INTEGER, fault }),
  });
  return {
    endpoint,
    pid: child.pid ?? 0,
    async requests() {
      const entries: unknown = await (await fetch(`${endpoint}/-/requests`)).json();
      return Array.isArray(entries) ? entries.length : Number.NaN;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

/** An archive of `FILES` files, `inEach` of them in a directory; as `tar c` makes it. */
async function makeArchive(base: string, name: string, inEach: number): Promise<string> {
  const source = join(base, name);
  const content = Buffer.alloc(FILE_SIZE, "0123456789abcdef");
  for (let index = 0; index < FILES; index += 1) {
    const dir = join(source, `d${Math.floor(index / inEach)}`);
    if (index % inEach === 0) await mkdir(dir, { recursive: true });
    await writeFile(join(dir, `f${index}`), content);
  }
  await sh(`tar cf ${source}.tar -C ${source} . && rm -r ${source}`, {}, TAR_TIMEOUT_MS);
  return `${source}.tar`;
}

async function seconds(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await task();
  return (performance.now() - start) / 1000;
}

async function measure(base: string, store: Store, row: Row): Promise<void> {
  const dir = join(base, `mount-${row.name}`);
  await mkdir(dir);
  const local = join(dir, "local");
  await mkdir(local);
  const disk = await seconds(() => sh(`tar xf ${row.archive} -C ${local}`, {}, TAR_TIMEOUT_MS));
  await rm(local, { recursive: true });
  const endpoint = {
    endpoint: store.endpoint,
    ...KEYS,
    region: "bench",
    bucket: "bench",
    provider: "kodo",
  } as const;
  await using mount = new TestMount(dir, endpoint, row.options);
  await mount.start();
  const { pid } = await mount.status();
  const cpuBefore = [await cpuOf(pid), await cpuOf(store.pid)] as const;
  const before = await store.requests();
  const target = join(mount.dir, row.name);
  await mkdir(target);
  const tar = await seconds(() => sh(`tar xf ${row.archive} -C ${target}`, {}, TAR_TIMEOUT_MS));
  const rest = await seconds(() => mount.command(["wait", mount.dir], {}, TAR_TIMEOUT_MS));
  const cpu = (await cpuOf(pid)) - cpuBefore[0];
  const storeCpu = (await cpuOf(store.pid)) - cpuBefore[1];
  const asked = (await store.requests()) - before;
  await mount.unmount();
  console.log(
    `  ${row.name.padEnd(20)} ${tar.toFixed(1)} s  ${((tar * 1000) / FILES).toFixed(2)} ms a file  in the bucket ${(tar + rest).toFixed(1)} s  ` +
      `${(asked / FILES).toFixed(2)} requests a file  ` +
      `CPU ms a file: mount ${((cpu * 1000) / FILES).toFixed(2)}, emulator ${((storeCpu * 1000) / FILES).toFixed(2)}  disk ${disk.toFixed(1)} s`,
  );
}

async function main(): Promise<void> {
  await using temp = await tempDir();
  await using store = await startStore(join(temp.path, "bucket"));
  const many = await makeArchive(temp.path, "many", A_DIRECTORY);
  const flat = await makeArchive(temp.path, "flat", FILES);
  console.log(
    `tar x of ${FILES} files of ${FILE_SIZE} bytes, ${LATENCY_MS} ms more for each request`,
  );
  const rows: Row[] = [
    { name: `directories`, archive: many, options: [] },
    { name: "one-directory", archive: flat, options: [] },
    { name: "one-directory-local", archive: flat, options: ["--close=local"] },
  ];
  const only = process.env["KODOMOUNT_BENCH_ROW"];
  for (const row of rows)
    if (only === undefined || row.name === only) await measure(temp.path, store, row);
}

await main();
