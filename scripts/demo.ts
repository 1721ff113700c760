// `npm run demo`: the whole story on one machine. A file is saved into a mount, the mount is killed at half, mounted again
// and saved into again; then it is counted what went over the wire twice. `--keep` leaves the mount for play.

import { createHash, randomBytes, randomFillSync } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, silentLog, systemClock } from "../src/base/mod.ts";
import { PROVIDERS, toKey } from "../src/model/mod.ts";
import { createS3Store, type ObjectStore } from "../src/store/mod.ts";
import { end, exec, killSession, MAIN, mustExec, type Store, startStore, until } from "./stage.ts";

const MIB = 1024 * 1024;
const SIZE = 256 * MIB;
const NAME = "checkpoint.bin";
/** Few and slow parts at a time, so that there is a half to be killed at: a loopback alone is done within a second. */
const LANES = 4;
const PART_DELAY_MS = 250;

/** Where it plays, and what ends it. */
interface Stage {
  readonly base: string;
  readonly mnt: string;
  readonly source: string;
  readonly env: { KODO_ACCESS_KEY: string; KODO_SECRET_KEY: string };
  readonly store: Store;
  readonly signal: AbortSignal;
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const keep = args.includes("--keep");
  const why = whyNot(args.filter((arg) => arg !== "--keep"));
  if (why !== undefined) {
    console.error(`demo: ${why}`);
    return 2;
  }
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => abort.abort());
  const undo: (() => Promise<void>)[] = [];
  let left = false;
  try {
    const stage = await setStage(undo, abort.signal);
    await play(stage);
    if (keep) await leave(stage);
    left = keep;
    return 0;
  } catch (error) {
    console.error(`demo: ${abort.signal.aborted ? "ended by a signal" : describe(error)}`);
    return 1;
  } finally {
    if (!left) for (const step of undo.reverse()) await step();
    if (!left) console.log("Unmounted, and nothing is left behind.");
  }
}

function whyNot(unknown: readonly string[]): string | undefined {
  if (unknown.length > 0) return `cannot understand '${unknown.join(" ")}': only --keep is known`;
  if (process.getuid?.() !== 0) return "mounting needs root: run it with sudo";
  if (!existsSync("/dev/fuse"))
    return "/dev/fuse is missing: load the module 'fuse' on this machine";
  return undefined;
}

async function setStage(undo: (() => Promise<void>)[], signal: AbortSignal): Promise<Stage> {
  const base = await mkdtemp(join(tmpdir(), "kodomount-demo-"));
  undo.push(() => rm(base, { recursive: true, force: true }));
  const env = {
    KODO_ACCESS_KEY: `demo-${randomBytes(4).toString("hex")}`,
    KODO_SECRET_KEY: randomBytes(20).toString("hex"),
  };
  const mnt = join(base, "mnt");
  await mkdir(mnt);
  const store = await startStore(join(base, "bucket"), env);
  undo.push(() => end(store.child.pid ?? 0));
  undo.push(() => forceUnmount(mnt));
  console.log(`The embedded store answers at ${store.endpoint}`);
  return { base, mnt, source: join(base, NAME), env, store, signal };
}

async function play(stage: Stage): Promise<void> {
  const { mnt, source, store, signal } = stage;
  const sha256 = await makeSource(source);
  await orderSlowParts(store.endpoint);
  await mount(stage);

  console.log(`\n$ cp ${NAME} ${mnt}/      (${SIZE / MIB} MiB)`);
  // Asked before: on a busy machine the rest would be through before the answer.
  const { pid } = await status(stage);
  const first = exec(["cp", source, mnt], { signal });
  const acknowledged = await until(() => half(store.endpoint), { timeoutMs: 120_000, signal });
  await killSession(pid);
  const { code, stderr } = await first;
  console.log(`kill -9 of the mount with ${mib(acknowledged)} acknowledged`);
  console.log(`cp ended with ${code ?? "a signal"}: ${stderr.split("\n")[0] ?? ""}`);
  const torn = await withClient(stage, (client) => client.head(toKey(NAME), signal));
  if (torn !== undefined)
    throw new Error(
      torn.size === SIZE
        ? "all of it was in the bucket before the kill: this machine is too busy, try again"
        : "the bucket shows a file that is not complete",
    );
  console.log(`In the bucket there is no ${NAME}: what is not complete is not visible`);

  await mount(stage);
  console.log(`$ cp ${NAME} ${mnt}/      (again)`);
  await mustExec(["cp", source, mnt], { signal });
  await tellWhatWasSent(store.endpoint);

  console.log(`\n$ ls -l ${mnt}\n${await mustExec(["ls", "-l", mnt], { signal })}`);
  await compare(stage, sha256);
}

function mountCommand({ mnt, base, store }: Stage): [string, ...string[]] {
  const options = ["--endpoint", store.endpoint, "--provider", "kodo", "--region", "demo"];
  const more = ["--state-dir", join(base, "state"), "--uploads", String(LANES)];
  return [process.execPath, MAIN, "mount", "s3://demo", mnt, ...options, ...more];
}

async function mount(stage: Stage): Promise<void> {
  const { mnt, base, env, store, signal } = stage;
  console.log(`\n$ kodomount mount s3://demo ${mnt} --endpoint ${store.endpoint}`);
  // Not ended by a signal: it would leave a daemon that is about to mount.
  const { code, stdout, stderr } = await exec(mountCommand(stage), { env });
  signal.throwIfAborted();
  for (const line of [stderr, stdout]) if (line !== "") console.log(line);
  if (code !== 0) throw new Error(`the mount failed, see ${join(base, "state")}`);
}

async function status(stage: Stage): Promise<{ pid: number }> {
  const text = await mustExec([process.execPath, MAIN, "status", stage.mnt, "--json"]);
  return JSON.parse(text) as { pid: number };
}

/** Random, so that nothing could be saved by compressing or by luck. Gives its SHA-256. */
async function makeSource(path: string): Promise<string> {
  const hash = createHash("sha256");
  const piece = Buffer.alloc(8 * MIB);
  const file = await open(path, "w");
  try {
    for (let at = 0; at < SIZE; at += piece.length) {
      hash.update(randomFillSync(piece));
      await file.write(piece);
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

interface RequestEntry {
  readonly kind: string;
  readonly key: string;
  readonly bytesIn: number;
}

/** The store's own pages: what it was asked, what it holds. */
async function ask<T>(endpoint: string, page: string, order?: unknown): Promise<T> {
  const post = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(order),
  };
  const reply = await fetch(`${endpoint}/-/${page}`, order === undefined ? {} : post);
  if (!reply.ok) throw new Error(`the store says ${reply.status}: ${await reply.text()}`);
  return (await reply.json()) as T;
}

async function orderSlowParts(endpoint: string): Promise<void> {
  const fault = { kind: "slow", delayMs: PART_DELAY_MS };
  await ask(endpoint, "orders", { kind: "UploadPart", fault, count: 100_000 });
}

/** Bytes that the store holds of the file, once they are half of it. */
async function half(endpoint: string): Promise<number | undefined> {
  const uploads = await ask<{ parts: { size: number }[] }[]>(endpoint, "uploads");
  const sizes = uploads.flatMap(({ parts }) => parts.map(({ size }) => size));
  const sum = sizes.reduce((total, size) => total + size, 0);
  return sum >= SIZE / 2 ? sum : undefined;
}

async function tellWhatWasSent(endpoint: string): Promise<void> {
  const requests = await ask<RequestEntry[]>(endpoint, "requests");
  const parts = requests.filter(({ kind, key }) => kind === "UploadPart" && key === NAME);
  const sent = parts.reduce((total, { bytesIn }) => total + bytesIn, 0);
  const twice = Math.max(0, sent - SIZE);
  console.log(
    `\nSent for a file of ${mib(SIZE)}: ${mib(sent)} in ${parts.length} requests. Sent twice: ${mib(twice)},` +
      ` what was on its way when the mount was killed (at most ${LANES} parts of 8 MiB).`,
  );
}

async function compare(stage: Stage, source: string): Promise<void> {
  const { mnt, signal } = stage;
  const summed = await mustExec(["sha256sum", join(mnt, NAME)], { signal });
  const mounted = summed.split(" ")[0] ?? "";
  const stored = await sumInStore(stage);
  console.log(`sha256 of the source        ${source}`);
  console.log(`sha256 through the mount    ${mounted}`);
  console.log(`sha256 from the store (S3)  ${stored}`);
  if (mounted !== source || stored !== source) throw new Error("the checksums differ");
}

function sumInStore(stage: Stage): Promise<string> {
  const hash = createHash("sha256");
  return withClient(stage, async (client) => {
    for (let offset = 0; offset < SIZE; offset += 8 * MIB) {
      const range = { offset, length: 8 * MIB };
      hash.update((await client.get({ key: toKey(NAME), range }, stage.signal)).bytes);
    }
    return hash.digest("hex");
  });
}

/** A client of its own at the store: sees what anybody else would see. */
async function withClient<T>(
  { store, env }: Stage,
  task: (client: ObjectStore) => Promise<T>,
): Promise<T> {
  const keys = { accessKeyId: env.KODO_ACCESS_KEY, secretAccessKey: env.KODO_SECRET_KEY };
  const client = createS3Store(
    {
      endpoint: store.endpoint,
      region: "demo",
      bucket: "demo",
      prefix: "",
      provider: PROVIDERS.kodo,
      credentials: { kind: "static", ...keys },
      connections: 1,
    },
    { clock: systemClock, log: silentLog },
  );
  try {
    return await task(client);
  } finally {
    client.close();
  }
}

/** `--keep`: scripts that go on after a kill and that end all of it: the reader has seen no directory and no option so far. */
async function leave(stage: Stage): Promise<void> {
  const { base, mnt, env, store } = stage;
  await fetch(`${store.endpoint}/-/orders`, { method: "DELETE" });
  const pidFile = join(base, "store.pid");
  await writeFile(pidFile, `${store.child.pid}\n`);
  const run = `'${process.execPath}' '${MAIN}'`;
  // Only if the pid is still the store's.
  const storeLives = `grep -q '${base}' "/proc/$(cat '${pidFile}')/cmdline" 2>/dev/null`;
  const again = await script(
    base,
    "again.sh",
    "Goes on after a kill -9 of the store, of the mount, or of both.",
    [
      `export KODO_ACCESS_KEY='${env.KODO_ACCESS_KEY}' KODO_SECRET_KEY='${env.KODO_SECRET_KEY}'`,
      `if ! ${storeLives}; then`,
      `  setsid ${run} emulator '${join(base, "bucket")}' --port ${new URL(store.endpoint).port} --bucket demo --region demo >> '${join(base, "store.log")}' 2>&1 &`,
      `  echo $! > '${pidFile}'`,
      "fi",
      `${run} status '${mnt}' > /dev/null 2>&1 || ${mountCommand(stage)
        .map((word) => `'${word}'`)
        .join(" ")}`,
      `${run} status '${mnt}'`,
    ],
  );
  const end = await script(
    base,
    "end.sh",
    "Ends what `npm run demo -- --keep` has left: mount, store, files.",
    [
      "cd /",
      `${run} unmount '${mnt}' || [ ! -e '${join(base, "state", "control.sock")}' ]`,
      `if ${storeLives}; then kill "$(cat '${pidFile}')"; fi`,
      `rm -rf --one-file-system '${base}'`,
      `echo 'Unmounted, and nothing is left behind.'`,
    ],
  );
  const { pid } = await status(stage);
  console.log(`\nThe mount stays at ${mnt}, for you to play with.`);
  console.log(`  what it is doing:   node ${MAIN} status ${mnt} --watch`);
  console.log(`  S3 at               ${store.endpoint}, bucket demo, region demo,`);
  console.log(`                      keys ${env.KODO_ACCESS_KEY} ${env.KODO_SECRET_KEY}`);
  console.log(
    `  kill -9, any time:  ${pid} is the mount, ${store.child.pid} the store; or who writes`,
  );
  console.log(`  to go on then:      sh ${again}`);
  console.log(`  to end it:          sh ${end}`);
}

async function script(base: string, name: string, what: string, lines: string[]): Promise<string> {
  const file = join(base, name);
  await writeFile(file, `${["#!/bin/sh", `# ${what}`, "set -e", ...lines].join("\n")}\n`);
  await chmod(file, 0o700);
  return file;
}

/** However the story ended. Never deletes below a mount point that is still one. */
async function forceUnmount(mnt: string): Promise<void> {
  if (!(await isMounted(mnt))) return;
  await exec([process.execPath, MAIN, "unmount", mnt, "--no-wait"]);
  if (!(await isMounted(mnt))) return;
  await exec(["umount", "-l", mnt]);
  if (await isMounted(mnt))
    throw new Error(`cannot unmount ${mnt}: end it with 'umount -l ${mnt}'`);
}

async function isMounted(mnt: string): Promise<boolean> {
  return (await readFile("/proc/self/mountinfo", "utf8")).includes(` ${mnt} `);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
