// A mount on a real S3 server, behind a proxy that counts: for what is promised in numbers.

import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { PROVIDERS } from "../../src/model/mod.ts";
import { createS3Store, type ObjectStore } from "../../src/store/mod.ts";
import { type CountingProxy, startCountingProxy } from "./counting-proxy.ts";
import { TestMount, whyNoMounts } from "./mount.ts";
import { type Rgw, startRgw, whyNoRgw } from "./rgw.ts";
import { tempDir } from "./temp.ts";

export const MIB: number = 1024 * 1024;
/** 1 GiB, as the promise is stated; KODOMOUNT_ACCEPTANCE_MIB makes it quicker to try. */
export const SIZE: number = Number(process.env["KODOMOUNT_ACCEPTANCE_MIB"] ?? 1024) * MIB;

/** Fixed, since a kill costs what is in flight: on a busy machine a store on loopback looks far away. */
export const LANES = 16;

export const whyNoAcceptance: string | undefined = whyNoMounts() ?? whyNoRgw();

let temp: Awaited<ReturnType<typeof tempDir>>;
let rgw: Rgw;
/** Of the test that runs. */
export let proxy: CountingProxy;
export let mount: TestMount;
/** Straight to the gateway: what a stranger sees. */
export let bucket: ObjectStore;

/** Call it once in a file: each test then has a gateway, a proxy and a mount of its own. */
export function beginAcceptance(): void {
  beforeEach(async () => {
    if (whyNoAcceptance !== undefined) return;
    temp = await tempDir();
    rgw = await startRgw();
    await rgw.createBucket("acceptance");
    proxy = await startCountingProxy(rgw.endpoint);
    const { accessKeyId, secretAccessKey, region } = rgw;
    const keys = { accessKeyId, secretAccessKey };
    const common = { ...{ region, bucket: "acceptance" }, ...keys };
    const endpoint = { endpoint: proxy.endpoint, provider: "generic", ...common } as const;
    mount = new TestMount(temp.path, endpoint, ["--uploads", String(LANES)]);
    const options = {
      ...{ endpoint: rgw.endpoint, region, bucket: "acceptance", prefix: "", connections: 2 },
      provider: PROVIDERS.generic,
      credentials: { kind: "static" as const, ...keys },
    };
    bucket = createS3Store(options, { clock: systemClock, log: silentLog });
    await mount.start();
  });
  afterEach(async () => {
    if (whyNoAcceptance !== undefined) return;
    await mount[Symbol.asyncDispose]();
    bucket.close();
    await proxy[Symbol.asyncDispose]();
    await rgw[Symbol.asyncDispose]();
    await temp[Symbol.asyncDispose]();
  });
}

/** `DIR` is the mount point, `SRC` a path beside it. */
export const env = (): NodeJS.ProcessEnv => ({ DIR: mount.dir, SRC: inTemp("src") });

/** A path that goes with the test. */
export const inTemp = (name: string): string => join(temp.path, name);
