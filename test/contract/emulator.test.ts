// The S3 adapter on the emulator, bare and with retries; with pages of 3 entries, so that every listing has several.

import { silentLog, systemClock } from "../../src/base/mod.ts";
import { PROVIDERS } from "../../src/model/mod.ts";
import { createS3Store, withRetry } from "../../src/store/mod.ts";
import { startTestEmulator } from "../support/emulator.ts";
import type { Subject } from "./bench.ts";
import { objectStoreSuite } from "./object-store.suite.ts";

const DEPS = { clock: systemClock, log: silentLog };

async function start(retries: boolean): Promise<Subject> {
  const server = await startTestEmulator({ limits: { pageSizeMax: 3 } });
  return {
    profile: PROVIDERS.kodo,
    open(change) {
      const store = createS3Store(server.storeOptions(change), DEPS);
      return retries ? withRetry(store, DEPS) : store;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

objectStoreSuite("S3 adapter on the emulator", () => start(false));
objectStoreSuite("S3 adapter with retries on the emulator", () => start(true));
