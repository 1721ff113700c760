// The S3 adapter on Ceph RGW: a server that nobody here wrote.

import { describe, test } from "vitest";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { PROVIDERS, type ProviderProfile } from "../../src/model/mod.ts";
import { createS3Store, type StoreOptions } from "../../src/store/mod.ts";
import { startRgw, whyNoRgw } from "../support/rgw.ts";
import type { Subject } from "./bench.ts";
import { objectStoreSuite } from "./object-store.suite.ts";

/** RGW looks for the condition in a header of another name, so it ignores it; copies of parts know none. */
const PROFILE: ProviderProfile = {
  ...PROVIDERS.generic,
  ignores: [...PROVIDERS.generic.ignores, "copy-source-if-match"],
};
const BUCKET = "contract";

async function start(): Promise<Subject> {
  const rgw = await startRgw();
  await rgw.createBucket(BUCKET);
  const { endpoint, region, accessKeyId, secretAccessKey } = rgw;
  const options: StoreOptions = {
    ...{ endpoint, region, bucket: BUCKET, prefix: "", connections: 8 },
    provider: PROFILE,
    credentials: { kind: "static", accessKeyId, secretAccessKey },
  };
  return {
    profile: PROFILE,
    quirks: { wantsEveryPart: true, failsAfterAbort: true },
    open: (change) =>
      createS3Store({ ...options, ...change }, { clock: systemClock, log: silentLog }),
    [Symbol.asyncDispose]: () => rgw[Symbol.asyncDispose](),
  };
}

const reason = whyNoRgw();
if (reason === undefined) objectStoreSuite("S3 adapter on Ceph RGW", start);
else
  describe("ObjectStore contract: S3 adapter on Ceph RGW", () => {
    test("runs", (context) => {
      console.log(`skipped: ${reason}`);
      context.skip(reason);
    });
  });
