// A save over a link that loses packets, goes down and resets all its connections again and again.

import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, expect, test } from "vitest";
import type { ClientJob, ClientResult } from "../../scripts/weaknet/client.ts";
import { BUCKET, READY_PORT } from "../../scripts/weaknet/store.ts";
import {
  buildWeaknet,
  type Link,
  type LinkStats,
  startWeaknet,
} from "../../scripts/weaknet/weaknet.ts";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { startEmulator } from "../../src/emulator/mod.ts";
import { sh, sha, whyNoMounts } from "../support/mount.ts";
import { tempDir } from "../support/temp.ts";

const MIB = 1024 * 1024;
const PART = MIB;
const SIZE = 16 * MIB;
const LIMIT_SECONDS = 150;

/** What it needs is asked for only once: building takes a second. */
const build = whyNoMounts() === undefined ? await tempDir("weak") : undefined;
const built =
  build === undefined ? { why: whyNoMounts() ?? "there are no mounts" } : buildWeaknet(build.path);
if (built.why !== undefined) {
  console.log(`skipped: a save over a weak network, since ${built.why}`);
  // Nothing is run after tests that are all skipped.
  await build?.[Symbol.asyncDispose]();
}
afterAll(() => build?.[Symbol.asyncDispose]());

const LINK: Link = {
  rate: "100mbit",
  delay: "20ms",
  loss: 1,
  outage: `${SIZE / 2}+2s`,
  resetEvery: "1500ms",
};

test.skipIf(built.why !== undefined).each(["bbr", "system"])(
  "S2.20 a save over a link that loses packets, is down and resets connections, with --congestion %s",
  async (congestion) => {
    await using temp = await tempDir("weak");
    const at = (name: string): string => join(temp.path, name);
    await mkdir(at("client"));
    await sh(`head -c ${SIZE} /dev/urandom > ${at("source")}`);
    const job: ClientJob = {
      tool: "kodomount",
      file: at("source"),
      dir: at("client"),
      place: at("place"),
      mountOptions: [`--part-size=${PART}`, `--congestion=${congestion}`],
      limitSeconds: LIMIT_SECONDS,
    };
    const node = [process.execPath, "--import", "tsx"];
    const script = (name: string): string =>
      join(import.meta.dirname, "../../scripts/weaknet", name);
    const link = startWeaknet(built.program ?? "", LINK, {
      server: `exec ${node.join(" ")} ${script("store.ts")} emulator ${at("bucket")} ${at("place")}`,
      readyPort: READY_PORT,
      command: [...node, script("client.ts"), JSON.stringify(job)],
      stats: at("stats"),
    });
    const ended = once(link, "exit");
    await using _ = { [Symbol.asyncDispose]: () => stop(link) };
    const said = link.stdout === null ? "" : await text(link.stdout);
    expect(await ended).toEqual([0, null]);
    expect((JSON.parse(said) as ClientResult).outcome).toBe("done");
    const stats = JSON.parse(await readFile(at("stats"), "utf8")) as LinkStats;
    expect(stats).toMatchObject({ outages: 1 });
    expect(stats.resets).toBeGreaterThan(0);
    // A reset costs at most the part that its connection had; headers, and small requests, are within the 2 %.
    expect(stats.sentOnce).toBeLessThanOrEqual(SIZE * 1.02 + stats.resets * PART);
    expect(await hashInBucket(at("bucket"))).toBe(await sha(at("source")));
  },
);

/** Ends the link, and what runs at its ends, when the test has failed. */
async function stop(link: ChildProcess): Promise<void> {
  if (link.exitCode !== null || link.signalCode !== null) return;
  const exited = once(link, "exit");
  link.kill("SIGTERM");
  await exited;
}

/** Of the object, by a store that is started again over what the other has left. */
async function hashInBucket(dir: string): Promise<string> {
  const keys = { accessKeyId: "bench", secretAccessKey: "bench-secret", region: "bench" };
  await using emulator = await startEmulator({
    dir,
    buckets: [BUCKET],
    ...keys,
    clock: systemClock,
    log: silentLog,
  });
  const sum = createHash("sha256");
  for await (const piece of emulator.read(BUCKET, "object")) sum.update(piece as Buffer);
  return sum.digest("hex");
}
