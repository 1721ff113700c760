// The stores behind the mounts: the embedded one (`kodomount emulator`), or Ceph RGW (scripts/rgw.sh).

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { startRgw } from "../../test/support/rgw.ts";
import { end, MAIN, until } from "../stage.ts";

export const STORE_NAMES = ["emulator", "rgw"] as const;
export type StoreName = (typeof STORE_NAMES)[number];

/** The product under test; another build than dist/ by KODOMOUNT_MAIN, and its commit by KODOMOUNT_COMMIT. */
export const PRODUCT: string = process.env["KODOMOUNT_MAIN"] ?? MAIN;

export interface SuiteStore extends AsyncDisposable {
  readonly name: StoreName;
  readonly endpoint: string;
  readonly region: string;
  readonly provider: "kodo" | "generic";
  readonly bucket: string;
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

const BUCKET = "suites";

export function startSuiteStore(name: StoreName, base: string): Promise<SuiteStore> {
  return name === "rgw" ? startGateway() : startEmulator(base);
}

async function startGateway(): Promise<SuiteStore> {
  const rgw = await startRgw();
  await rgw.createBucket(BUCKET);
  const { endpoint, region, accessKeyId, secretAccessKey } = rgw;
  return {
    name: "rgw",
    endpoint,
    region,
    provider: "generic",
    bucket: BUCKET,
    keys: { accessKeyId, secretAccessKey },
    [Symbol.asyncDispose]: () => rgw[Symbol.asyncDispose](),
  };
}

async function startEmulator(base: string): Promise<SuiteStore> {
  const dir = join(base, "bucket");
  await mkdir(dir);
  const log = join(base, "store.log");
  const to = openSync(log, "a");
  const region = "suites";
  const keys = {
    accessKeyId: `suites${randomBytes(4).toString("hex")}`,
    secretAccessKey: randomBytes(20).toString("hex"),
  };
  const options = ["--port", "0", "--bucket", BUCKET, "--region", region];
  const child = spawn(process.execPath, [PRODUCT, "emulator", dir, ...options], {
    stdio: ["ignore", to, to],
    detached: true,
    env: {
      ...process.env,
      KODO_ACCESS_KEY: keys.accessKeyId,
      KODO_SECRET_KEY: keys.secretAccessKey,
    },
  });
  closeSync(to);
  const endpoint = await until(async () => {
    const said = await readFile(log, "utf8");
    if (child.exitCode !== null) throw new Error(`the store did not start: ${said}`);
    return /answers at (http:\S+)/.exec(said)?.[1];
  });
  return {
    name: "emulator",
    endpoint,
    region,
    provider: "kodo",
    bucket: BUCKET,
    keys,
    [Symbol.asyncDispose]: () => end(child.pid ?? 0),
  };
}
