// Bytes that are sent twice after a kill: never more than the parts that were under way. `npm run bench:resume` has the table.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { startEmulator } from "../../src/emulator/mod.ts";
import { whyNoMounts } from "../support/mount.ts";
import { tempDir } from "../support/temp.ts";
import { type Kill, measureResume } from "./harness/resume.ts";

const why = whyNoMounts();
if (why !== undefined) console.log(`skipped: bytes sent twice after a kill, since ${why}`);

const KEYS = { accessKeyId: "test", secretAccessKey: "testsecret" };
const MIB = 1024 * 1024;

describe.skipIf(why !== undefined)("bytes sent twice", () => {
  const kills: readonly Kill[] = [
    { who: "mount", at: { share: 0.5 } },
    { who: "mount", at: { step: "part.sent", count: 20 } },
    { who: "mount", at: { step: "save.completing", count: 1 } },
    { who: "writer", at: { share: 0.5 } },
  ];
  test.each(kills)(
    "S3.1 S4.1 after SIGKILL of the $who at $at: no more than the parts under way",
    async (kill) => {
      await using temp = await tempDir();
      await using emulator = await startEmulator({
        dir: join(temp.path, "bucket"),
        buckets: ["bucket"],
        ...KEYS,
        region: "test",
        clock: systemClock,
        log: silentLog,
      });
      const { endpoint } = emulator;
      const { sentTwice, inFlight } = await measureResume(
        {
          base: join(temp.path, "resume"),
          store: { endpoint, ...KEYS, region: "test", bucket: "bucket", provider: "kodo" },
          size: 40 * MIB,
          partSize: MIB,
          uploads: 4,
          bytesPerSecond: 20 * MIB,
        },
        kill,
      );
      expect(sentTwice).toBeLessThanOrEqual(inFlight);
    },
  );
});
