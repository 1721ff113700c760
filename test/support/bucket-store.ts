// The bucket of an embedded store as another client sees it.

import { silentLog, systemClock } from "../../src/base/mod.ts";
import type { Emulator } from "../../src/emulator/mod.ts";
import { PROVIDERS } from "../../src/model/mod.ts";
import { createS3Store, type ObjectStore } from "../../src/store/mod.ts";

/** A client of `bucket` of its own, to be disposed of. */
export function bucketStore(emulator: Emulator): ObjectStore & Disposable {
  const store = createS3Store(
    {
      endpoint: emulator.endpoint,
      region: "test",
      bucket: "bucket",
      prefix: "",
      provider: PROVIDERS.kodo,
      congestion: "system",
      credentials: { kind: "static", accessKeyId: "test", secretAccessKey: "testsecret" },
      connections: 16,
    },
    { clock: systemClock, log: silentLog },
  );
  return Object.assign(store, { [Symbol.dispose]: () => store.close() });
}
