// An emulator of its own for a test: loopback, temporary directory, one bucket, and how the product reaches it.

import { silentLog, systemClock } from "../../src/base/mod.ts";
import { type Emulator, type EmulatorOptions, startEmulator } from "../../src/emulator/mod.ts";
import { PROVIDERS, type ProviderProfile } from "../../src/model/mod.ts";
import type { StoreOptions } from "../../src/store/mod.ts";
import { tempDir } from "./temp.ts";

export const TEST_BUCKET = "bucket";
export const TEST_KEYS = {
  accessKeyId: "test-access-key",
  secretAccessKey: "test-secret-key",
  region: "cn-east-1",
} as const;

export interface TestEmulator extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly dir: string;
  readonly bucket: string;
  /** For `createS3Store`. */
  storeOptions(change?: Partial<StoreOptions>): StoreOptions;
  /** Stops the server and starts another on the same port and directory. */
  restart(): Promise<void>;
}

export interface TestEmulatorOptions extends Partial<EmulatorOptions> {
  /** With the emulator's limits in it, when they were changed. */
  readonly provider?: ProviderProfile;
}

/** `await using server = await startTestEmulator()` */
export async function startTestEmulator(options: TestEmulatorOptions = {}): Promise<TestEmulator> {
  const { provider = PROVIDERS.kodo, ...rest } = options;
  const dir = await tempDir("emulator");
  const start = (port: number): Promise<Emulator> =>
    startEmulator({
      dir: dir.path,
      port,
      buckets: [TEST_BUCKET],
      ...TEST_KEYS,
      clock: systemClock,
      log: silentLog,
      ...rest,
    });
  let emulator: Emulator;
  try {
    emulator = await start(0);
  } catch (error) {
    await dir[Symbol.asyncDispose]();
    throw error;
  }
  return {
    get emulator() {
      return emulator;
    },
    dir: dir.path,
    bucket: TEST_BUCKET,
    storeOptions: (change = {}) => ({
      endpoint: emulator.endpoint,
      region: TEST_KEYS.region,
      bucket: TEST_BUCKET,
      prefix: "",
      provider,
      credentials: {
        kind: "static",
        accessKeyId: TEST_KEYS.accessKeyId,
        secretAccessKey: TEST_KEYS.secretAccessKey,
      },
      connections: 8,
      ...change,
    }),
    async restart() {
      await emulator.stop();
      emulator = await start(emulator.port);
    },
    async [Symbol.asyncDispose]() {
      await emulator.stop();
      await dir[Symbol.asyncDispose]();
    },
  };
}
