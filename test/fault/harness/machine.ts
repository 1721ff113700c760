// One machine with its state directory, and the bucket that it mounts: started, killed, and deprived of its power.

import { join } from "node:path";
import { type Log, silentLog, systemClock } from "../../../src/base/mod.ts";
import { type Emulator, startEmulator } from "../../../src/emulator/mod.ts";
import { PROVIDERS } from "../../../src/model/mod.ts";
import {
  createS3Store,
  type ObjectStore,
  type StoreOptions,
  withRetry,
} from "../../../src/store/mod.ts";
import { assemble, type Running } from "../../support/assemble.ts";
import { FaultyIo } from "../../support/faulty-io.ts";
import { type TempDir, tempDir } from "../../support/temp.ts";
import { TestDatabase } from "./database.ts";
import { FastClock } from "./fast-clock.ts";
import { Life, Moments } from "./life.ts";
import { PART_SIZE } from "./programs.ts";
import type { Random } from "./random.ts";
import { createSender } from "./sender.ts";

const KEYS = { accessKeyId: "test", secretAccessKey: "testsecret" };
/** A second of the product takes 40 ms. */
const SPEED = 25;
const MIB = 1024 * 1024;
/** What others have done shows after that, in the time of the product. */
export const LISTING_TTL_MS = 2000;

export interface MachineOptions {
  readonly closeMode: "commit" | "strict" | "local";
  readonly lanes: number;
  readonly log?: Log;
}

export class Machine implements AsyncDisposable {
  readonly clock = new FastClock(SPEED);
  readonly moments = new Moments();
  readonly io = new FaultyIo();
  readonly database = new TestDatabase();
  readonly stateDir: string;
  life: Life;
  running: Running | undefined;
  emulator: Emulator;
  readonly #temp: TempDir;
  readonly #options: MachineOptions;
  readonly #storeTime: { skewMs: number };
  #plain: ObjectStore | undefined;
  #boot = 1;

  private constructor(parts: {
    temp: TempDir;
    emulator: Emulator;
    options: MachineOptions;
    storeTime: { skewMs: number };
  }) {
    this.#temp = parts.temp;
    this.#options = parts.options;
    this.#storeTime = parts.storeTime;
    this.emulator = parts.emulator;
    this.stateDir = join(parts.temp.path, "state");
    this.life = new Life(this.moments, this.clock);
  }

  static async create(options: MachineOptions): Promise<Machine> {
    const temp = await tempDir("soak");
    const storeTime = { skewMs: 0 };
    const emulator = await startStore(temp, storeTime);
    return new Machine({ temp, emulator, options, storeTime });
  }

  /** Another process on what the disk has. @throws what the product says when it cannot; `Unreachable` when it is killed. */
  async start(): Promise<Running> {
    this.life = new Life(this.moments, this.clock);
    const { life } = this;
    const { lanes, closeMode, log = silentLog } = this.#options;
    const clock = life.clock();
    this.#plain = createS3Store(this.storeOptions(lanes), { clock, log });
    const plain = life.seam(this.#plain, "request");
    const sender = createSender(withRetry(plain, { clock, log }), lanes);
    const starting = assemble({
      storeOptions: this.storeOptions(lanes),
      stateDir: this.stateDir,
      bootId: `boot ${this.#boot}`,
      plan: { tiers: [{ count: 10_000, size: PART_SIZE }] },
      closeMode,
      lagMs: 2000,
      spillLimit: 64 * MIB,
      hold: [],
      holdMs: 60_000,
      keepMs: 10_000,
      listTtlMs: LISTING_TTL_MS,
      copySizeMax: PROVIDERS.kodo.copySizeMax,
      persistAttributes: false,
      deadlineMs: 300_000,
      seams: {
        clock,
        log,
        plain,
        sender,
        io: life.seam(this.io, "disk"),
        openDatabase: async (dir) => life.seam(await this.database.open(dir), "catalog", ["batch"]),
      },
    });
    this.running = await life.orGone(starting);
    return this.running;
  }

  /** SIGKILL, at once. `buried` must be awaited before the next start. */
  kill(): void {
    this.life.kill();
    this.#plain?.close();
  }

  /** What the killed process has left under way has ended. */
  async buried(): Promise<void> {
    await this.life.settled();
    await this.database.died();
    await this.io.died();
    this.running = undefined;
  }

  /** The killed process's machine has lost its power, too. */
  async losePower(random: Random): Promise<void> {
    await this.database.losePower(random);
    await this.io.powerLoss();
    this.database.uploads.clear();
    this.#boot += 1;
  }

  async restartStore(downMs: number): Promise<void> {
    const { port } = this.emulator;
    await this.emulator.stop();
    await this.clock.sleep(downMs);
    this.emulator = await startStore(this.#temp, this.#storeTime, port);
  }

  /** The store's clock is set. */
  skewStore(byMs: number): void {
    this.#storeTime.skewMs += byMs;
  }

  /** Another client. */
  stranger(): ObjectStore {
    return createS3Store(this.storeOptions(2), { clock: systemClock, log: silentLog });
  }

  storeOptions(connections: number): StoreOptions {
    return {
      endpoint: this.emulator.endpoint,
      region: "test",
      bucket: "bucket",
      prefix: "",
      provider: PROVIDERS.kodo,
      credentials: { kind: "static", ...KEYS },
      connections,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running !== undefined) {
      this.kill();
      await this.emulator.stop();
      await this.buried();
    }
    await this.emulator.stop();
    await this.#temp[Symbol.asyncDispose]();
  }
}

function startStore(temp: TempDir, time: { skewMs: number }, port = 0): Promise<Emulator> {
  const fast = new FastClock(SPEED);
  return startEmulator({
    dir: join(temp.path, "bucket"),
    port,
    buckets: ["bucket"],
    ...KEYS,
    region: "test",
    // Requests are signed with the time of the world; only what the store waits for is fast.
    clock: {
      now: () => systemClock.now() + time.skewMs,
      sleep: fast.sleep,
      after: fast.after,
      monotonic: fast.monotonic,
    },
    log: silentLog,
    limits: { partSizeMin: 1 },
  });
}
