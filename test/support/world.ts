// The whole product without FUSE, on the embedded store, in this process: made, stopped, killed (as far as a process can
// kill a part of itself) and started again by a test.

import { randomBytes } from "node:crypto";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { Background, silentLog, systemClock } from "../../src/base/mod.ts";
import { Catalog } from "../../src/catalog/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import {
  createFilesystem,
  type Filesystem,
  type KodoFilesystem,
  type Request,
} from "../../src/fs/mod.ts";
import { Loader } from "../../src/load/mod.ts";
import { HeldNames, type PartPlan, PROVIDERS, partPlan } from "../../src/model/mod.ts";
import { type Publisher, startPublisher } from "../../src/publish/mod.ts";
import { Sender } from "../../src/send/mod.ts";
import { Spill } from "../../src/spill/mod.ts";
import {
  createS3Store,
  type ObjectStore,
  type StoreOptions,
  Troubles,
  withRetry,
} from "../../src/store/mod.ts";
import { tempDir } from "./temp.ts";

export interface WorldOptions {
  /** Bytes of the first parts; small ones make many parts of a small file. */
  readonly partSize?: number;
  readonly closeMode?: "commit" | "strict" | "local";
  readonly lagMs?: number;
  readonly spillLimit?: number;
  readonly hold?: readonly string[];
  readonly holdMs?: number;
  /** How long small content is kept after it was published. */
  readonly keepMs?: number;
  readonly listTtlMs?: number;
  /** Bytes that one CopyObject takes; larger objects are copied by parts. */
  readonly copySizeMax?: number;
  readonly persistAttributes?: boolean;
  /** How long a lookup may take. */
  readonly deadlineMs?: number;
}

const MIB = 1024 * 1024;
const KEYS = { accessKeyId: "test", secretAccessKey: "testsecret" };

/** A running mount without a kernel. */
export interface Running {
  readonly filesystem: Filesystem & KodoFilesystem;
  readonly publisher: Publisher;
  readonly catalog: Catalog;
  readonly spill: Spill;
  readonly background: Background;
  /** An orderly end. */
  stop(): Promise<void>;
}

/** One bucket and one state directory, over any number of runs. */
export class World implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly stateDir: string;
  readonly #temp: AsyncDisposable;
  readonly #options: WorldOptions;
  readonly #running = new Set<Running>();

  private constructor(parts: {
    emulator: Emulator;
    stateDir: string;
    temp: AsyncDisposable;
    options: WorldOptions;
  }) {
    this.emulator = parts.emulator;
    this.stateDir = parts.stateDir;
    this.#temp = parts.temp;
    this.#options = parts.options;
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    const temp = await tempDir();
    const emulator = await startEmulator({
      dir: join(temp.path, "bucket"),
      buckets: ["bucket"],
      ...KEYS,
      region: "test",
      clock: systemClock,
      log: silentLog,
    });
    return new World({ emulator, stateDir: join(temp.path, "state"), temp, options });
  }

  get storeOptions(): StoreOptions {
    return {
      endpoint: this.emulator.endpoint,
      region: "test",
      bucket: "bucket",
      prefix: "",
      provider: PROVIDERS.kodo,
      credentials: { kind: "static", ...KEYS },
      connections: 16,
    };
  }

  get plan(): PartPlan {
    return partPlan(this.#options.partSize ?? 1 * MIB, PROVIDERS.kodo);
  }

  /** A client of its own, to see what is in the bucket. */
  bucket(): ObjectStore {
    return createS3Store(this.storeOptions, { clock: systemClock, log: silentLog });
  }

  /**
   * Another run on what the disk has at this moment, after another boot: as if the machine had lost power. What the kernel
   * had not written yet is there all the same: only what the product believes is tested.
   */
  async startAfterPowerLoss(running: Running): Promise<Running> {
    const stateDir = `${this.stateDir}-copy`;
    await cp(this.stateDir, stateDir, { recursive: true });
    await running.stop();
    return this.start({ stateDir, bootId: "another boot" });
  }

  async start(at: { stateDir?: string; bootId?: string } = {}): Promise<Running> {
    const { stateDir = this.stateDir, bootId = "boot" } = at;
    const clock = systemClock;
    const log = silentLog;
    const background = new Background(log);
    const { closeMode = "commit", lagMs = 2000, spillLimit = 1024 * MIB } = this.#options;
    const { listTtlMs = 5000, deadlineMs } = this.#options;
    const catalog = await Catalog.open({
      dir: join(stateDir, "catalog"),
      identity: { endpoint: "test", bucket: "bucket", prefix: "" },
      log,
      clock,
      bootId,
    });
    const spill = await Spill.open({
      dir: join(stateDir, "spill"),
      limit: spillLimit,
      log,
      canFree: () => publisherOf().canFree(),
    });
    const troubles = new Troubles(clock);
    const store = withRetry(this.bucket(), { clock, log, troubles });
    const sender = await Sender.start({ store: this.storeOptions, lanes: 8, log, clock, troubles });
    const loader = new Loader({
      store:
        deadlineMs === undefined ? store : withRetry(this.bucket(), { clock, log, deadlineMs }),
      reads: store,
      catalog,
      clock,
      log,
      ttlMs: listTtlMs,
      defaults: { uid: 0, gid: 0, fileMode: 0o644, directoryMode: 0o755, mtimeMs: 0 },
    });
    let filesystem: KodoFilesystem | undefined;
    let publisher: Publisher | undefined;
    const publisherOf = (): Publisher => {
      if (publisher === undefined) throw new Error("not started");
      return publisher;
    };
    const started = await startPublisher({
      catalog,
      spill,
      sender,
      store,
      clock,
      log,
      background,
      plan: this.plan,
      lagMs,
      persistAttributes: this.#options.persistAttributes ?? false,
      copySizeMax: this.#options.copySizeMax ?? PROVIDERS.kodo.copySizeMax,
      held: new HeldNames(this.#options.hold),
      holdMs: this.#options.holdMs ?? 60_000,
      keepMs: this.#options.keepMs ?? 10_000,
      onObjectChanged: (key, now) => {
        loader.note(key, now);
        filesystem?.objectChanged(key);
      },
      troubles,
      trusted: catalog.sameBoot || catalog.cleanStop,
    });
    publisher = started.publisher;
    filesystem = createFilesystem({
      publisher,
      loader,
      catalog,
      clock,
      log,
      background,
      closeMode,
      readOnly: false,
      prefix: "",
      keySizeMax: 1024,
      threadGroup: async (pid) => pid,
      foresee: async () => undefined,
    });
    filesystem.restoreReplies(started.replies);
    const running: Running = {
      filesystem,
      publisher,
      catalog,
      spill,
      background,
      stop: async () => {
        if (!this.#running.delete(running)) return;
        await started.stop();
        await loader.stop();
        await sender.stop();
        store.close();
        await spill.close();
        await catalog.close();
      },
    };
    this.#running.add(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of [...this.#running]) await running.stop();
    await this.emulator.stop();
    await this.#temp[Symbol.asyncDispose]();
  }
}

let unique = 1;

/** A request of process 1000, which nobody interrupts unless `signal` says so. */
export function request(overrides: Partial<Request> = {}): Request {
  unique += 1;
  return {
    unique: String(unique),
    resent: false,
    caller: { uid: 0, gid: 0, pid: 1000 },
    signal: new AbortController().signal,
    ...overrides,
  };
}

export const LIVE_CLOSE = { end: "live", tgid: 1000, heldElsewhere: false } as const;

export function randomContent(size: number): Buffer {
  return randomBytes(size);
}

/** Waits until nothing is pending; fails after `timeoutMs`. */
export async function drained(running: Running, timeoutMs = 20_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  const waiting = (): boolean =>
    running.publisher.pending().some(({ state }) => state !== "interrupted" && state !== "parked");
  while (waiting()) {
    running.publisher.hurry();
    if (performance.now() > end)
      throw new Error(`still pending: ${JSON.stringify(running.publisher.pending())}`);
    await systemClock.sleep(10);
  }
}
