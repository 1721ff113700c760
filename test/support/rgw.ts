// A throw-away Ceph RADOS Gateway for a test: a real S3 server of somebody else's make. It lives in `scripts/rgw.sh`, which
// ends, and wipes everything, when our end of its standard input closes: also when this process is killed.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { type TempDir, tempDir } from "./temp.ts";

export interface Rgw extends AsyncDisposable {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  createBucket(name: string): Promise<void>;
}

export interface RgwOptions {
  /** The address that it listens on; loopback when absent. */
  readonly host?: string;
  /** Bytes of the smallest part that it takes but the last; S3's 5 MiB when absent. */
  readonly partSizeMin?: number;
}

const SCRIPT = path.join(import.meta.dirname, "../../scripts/rgw.sh");
const KEYS = { accessKeyId: "test", secretAccessKey: "testsecret", region: "us-east-1" } as const;
/** Ports that it takes, one after the other. */
const PORT_COUNT = 20;
/** Below those that the kernel gives to connections. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const TRY_COUNT_MAX = 5;

/** Why there can be no gateway here, or undefined. */
export function whyNoRgw(): string | undefined {
  if (process.env["KODOMOUNT_WITHOUT_RGW"] === "1")
    return "Ceph RGW is left out: KODOMOUNT_WITHOUT_RGW=1";
  const missing = ["ceph-mon", "ceph-osd", "radosgw"].filter(
    (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0,
  );
  return missing.length === 0 ? undefined : `Ceph RGW is missing: install ${missing.join(", ")}`;
}

/** `await using rgw = await startRgw()`: takes about 3 s. @throws with the reason when there can be none. */
export async function startRgw(options: RgwOptions = {}): Promise<Rgw> {
  const reason = whyNoRgw();
  if (reason !== undefined) throw new Error(reason);
  for (let attempt = 1; ; attempt += 1) {
    const temp = await tempDir("rgw");
    try {
      return await startOnce(temp, options);
    } catch (error) {
      await temp[Symbol.asyncDispose]();
      // Somebody may have taken one of the ports since they were looked at.
      if (attempt === TRY_COUNT_MAX) throw error;
    }
  }
}

async function startOnce(temp: TempDir, options: RgwOptions): Promise<Rgw> {
  const { host = "127.0.0.1", partSizeMin } = options;
  const port = await freePorts();
  const child = spawn(SCRIPT, [], {
    // A group of its own: Ctrl-C is for us, who then end it in order.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      RGW_DIR: path.join(temp.path, "rgw"),
      RGW_PORT: String(port),
      RGW_HOST: host,
      ...(partSizeMin === undefined ? {} : { RGW_PART_SIZE_MIN: String(partSizeMin) }),
      RGW_ACCESS_KEY: KEYS.accessKeyId,
      RGW_SECRET_KEY: KEYS.secretAccessKey,
    },
  });
  const endpoint = `http://${host}:${port}`;
  try {
    await ready(child);
  } catch (error) {
    await end(child);
    throw error;
  }
  return {
    endpoint,
    ...KEYS,
    createBucket: (name) => createBucket(endpoint, name),
    async [Symbol.asyncDispose]() {
      await end(child);
      await temp[Symbol.asyncDispose]();
    },
  };
}

async function ready(child: ChildProcess): Promise<void> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("The script has no output");
  const said = text(stderr);
  const ended = once(child, "exit").then(async ([code]) => {
    throw new Error(`scripts/rgw.sh ended with ${code}: ${await said}`);
  });
  // Looked at until it is ready; its later end is awaited by `end`.
  ended.catch(() => undefined);
  await Promise.race([once(stdout, "data"), ended]);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.stdin?.end();
  child.kill("SIGTERM");
  await exited;
}

async function createBucket(endpoint: string, name: string): Promise<void> {
  const client = new S3Client({
    endpoint,
    region: KEYS.region,
    credentials: KEYS,
    forcePathStyle: true,
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: name }));
  } finally {
    client.destroy();
  }
}

/** The first of so many ports in a row that nobody listens on. */
async function freePorts(): Promise<number> {
  const blocks = Math.floor((PORT_MAX - PORT_MIN) / PORT_COUNT);
  // Tests that run at the same time should not look at the same block.
  const first = process.pid % blocks;
  for (let tried = 0; tried < blocks; tried += 1) {
    nextBlock += 1;
    const port = PORT_MIN + ((first + nextBlock * 7) % blocks) * PORT_COUNT;
    const ports = Array.from({ length: PORT_COUNT }, (_, index) => port + index);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return port;
  }
  throw new Error("No free ports for Ceph RGW");
}

let nextBlock = 0;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
