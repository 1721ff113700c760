// `npm run bench:weak -- --profile B --mib 1024 --tools kodomount,curl`: how much of a weak link an upload uses, beside what
// people use today, as a table for docs/benchmarks.md. docs/testing.md has the profiles and the options.

import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { sh } from "../../test/support/mount.ts";
import { whyNoRgw } from "../../test/support/rgw.ts";
import { tempDir } from "../../test/support/temp.ts";
import type { ClientJob, ClientResult } from "./client.ts";
import { READY_PORT } from "./store.ts";
import { TOOLS } from "./tools.ts";
import { buildWeaknet, type Link, type LinkStats, startWeaknet } from "./weaknet.ts";

const MIB = 1024 * 1024;
const OUTAGE_SECONDS = 60;

interface Profile extends Link {
  readonly mbit: number;
  /** Seconds that nothing can be sent. */
  readonly outageSeconds?: number;
}

const A: Profile = { mbit: 200, rate: "200mbit", delay: "20ms" };
const B: Profile = { ...A, loss: 1 };

/** @param bytes of the upload: the outage of D comes at half of them. */
function profilesFor(bytes: number): Record<string, Profile> {
  const outage = `${Math.round(bytes / 2)}+${OUTAGE_SECONDS}s`;
  return {
    A,
    B,
    C: { mbit: 50, rate: "50mbit", delay: "60ms", loss: 3 },
    D: { ...B, outage, outageSeconds: OUTAGE_SECONDS },
    E: { ...B, resetEvery: "20s" },
    // A disk of 500 MB/s writes 50 times as fast.
    F: { mbit: 80, rate: "80mbit", delay: "10ms" },
  };
}

const { values } = parseArgs({
  options: {
    profile: { type: "string", default: "A,B,C,D,E,F" },
    mib: { type: "string", default: "256" },
    tools: { type: "string", default: Object.keys(TOOLS).join(",") },
    cc: { type: "string", default: "cubic" },
    seed: { type: "string", default: "1" },
    store: { type: "string" },
    /** Seconds for one upload; five times what the link would need, and two minutes, when absent. */
    limit: { type: "string" },
    /** More options of `kodomount mount`, in one word each: `--mount=--part-size=1M`. */
    mount: { type: "string", multiple: true, default: [] },
  },
});

interface Row {
  readonly name: string;
  readonly tool: string;
  readonly result: ClientResult;
  readonly stats: LinkStats;
  /** Of the time that the link would need for the bare bytes. */
  readonly share: number;
}

async function main(): Promise<void> {
  await using temp = await tempDir("weak");
  const built = buildWeaknet(temp.path);
  if (built.program === undefined) return console.log(`skipped: weak networks, since ${built.why}`);
  const bytes = Number(values.mib) * MIB;
  const file = join(temp.path, "source");
  await sh(`head -c ${bytes} /dev/urandom > ${file}`);
  const profiles = profilesFor(bytes);
  // What is under way ends by the same signal, in order; then nothing more is begun.
  let isStopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      isStopped = true;
    });
  console.log(
    `${values.mib} MiB, ${values.cc}, ${storeName()}, kodomount ${values.mount.join(" ")}\n`,
  );
  console.log("| link | upload | share | seconds | sent / size | on the wire | CPU s | RSS MiB |");
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const name of values.profile.split(","))
    for (const tool of values.tools.split(",")) {
      if (isStopped) return;
      const profile = profiles[name];
      if (profile === undefined) throw new Error(`There is no profile ${name}`);
      const why = TOOLS[tool] === undefined ? "there is no such tool" : TOOLS[tool].why();
      if (why !== undefined) console.log(`| ${name} | ${tool} | ${why} | | | | | |`);
      else show(await measure({ name, tool, profile, file, bytes, program: built.program }), bytes);
    }
}

function storeName(): string {
  return values.store ?? (whyNoRgw() === undefined ? "rgw" : "emulator");
}

async function measure(run: {
  name: string;
  tool: string;
  profile: Profile;
  file: string;
  bytes: number;
  program: string;
}): Promise<Row> {
  const { name, tool, profile, file, bytes, program } = run;
  await using temp = await tempDir("weak");
  const at = (path: string): string => join(temp.path, path);
  await mkdir(at("client"));
  const ideal = (bytes * 8) / (profile.mbit * 1e6) + (profile.outageSeconds ?? 0);
  const job: ClientJob = {
    tool,
    file,
    dir: at("client"),
    place: at("place"),
    mountOptions: values.mount,
    limitSeconds: Number(values.limit ?? Math.round(ideal * 5 + 120)),
  };
  const node = `${process.execPath} --import tsx`;
  const script = (path: string): string => join(import.meta.dirname, path);
  const link: Link = { ...profile, congestion: values.cc, seed: Number(values.seed) };
  const weaknet = startWeaknet(program, link, {
    server: `exec ${node} ${script("store.ts")} ${storeName()} ${at("bucket")} ${at("place")}`,
    readyPort: READY_PORT,
    command: [...node.split(" "), script("client.ts"), JSON.stringify(job)],
    stats: at("stats"),
  });
  if (weaknet.stdout === null) throw new Error("weaknet has no output");
  const exited = once(weaknet, "exit");
  const said = (await text(weaknet.stdout)).trim().split("\n").at(-1) ?? "";
  const [code] = await exited;
  if (code !== 0) throw new Error(`weaknet ended with ${code}: ${said}`);
  const result = JSON.parse(said) as ClientResult;
  const stats = JSON.parse(await readFile(at("stats"), "utf8")) as LinkStats;
  return { name, tool, result, stats, share: ideal / result.seconds };
}

function show({ name, tool, result, stats, share }: Row, bytes: number): void {
  const done = result.outcome === "done";
  console.log(
    `| ${name} | ${tool} | ${done ? share.toFixed(2) : result.outcome} | ${result.seconds.toFixed(1)} ` +
      `| ${(stats.sentOnce / bytes).toFixed(3)} | ${(stats.up.bytes / bytes).toFixed(3)} ` +
      `| ${result.cpuSeconds.toFixed(1)} | ${result.peakRssMib.toFixed(0)} |`,
  );
}

await main();
