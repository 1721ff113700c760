// The whole product without FUSE, on the embedded store, in this process: made, stopped, killed (as far as a process can
// kill a part of itself) and started again by a test.

import { randomBytes } from "node:crypto";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import type { Request } from "../../src/fs/mod.ts";
import { type PartPlan, PROVIDERS, partPlan, type StorageRule } from "../../src/model/mod.ts";
import { createS3Store, type ObjectStore, type StoreOptions } from "../../src/store/mod.ts";
import { assemble, type Running, type Seams } from "./assemble.ts";
import { tempDir } from "./temp.ts";

export type { Running } from "./assemble.ts";

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
  readonly storageClasses?: readonly StorageRule[];
  readonly listTtlMs?: number;
  /** Bytes that one CopyObject takes; larger objects are copied by parts. */
  readonly copySizeMax?: number;
  readonly persistAttributes?: boolean;
  /** How long the store takes to restore an archived object. */
  readonly restoreMs?: number;
  /** How long a lookup may take. */
  readonly deadlineMs?: number;
  /** In the place of the real things. */
  readonly seams?: Partial<Seams>;
}

const MIB = 1024 * 1024;
const KEYS = { accessKeyId: "test", secretAccessKey: "testsecret" };

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
      limits: { restoreMs: options.restoreMs ?? 0 },
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
    const options = this.#options;
    const assembled = await assemble({
      storeOptions: this.storeOptions,
      stateDir: at.stateDir ?? this.stateDir,
      bootId: at.bootId ?? "boot",
      plan: this.plan,
      closeMode: options.closeMode ?? "commit",
      lagMs: options.lagMs ?? 2000,
      spillLimit: options.spillLimit ?? 1024 * MIB,
      hold: options.hold ?? [],
      holdMs: options.holdMs ?? 60_000,
      storageClasses: options.storageClasses ?? [],
      keepMs: options.keepMs ?? 10_000,
      listTtlMs: options.listTtlMs ?? 5000,
      copySizeMax: options.copySizeMax ?? PROVIDERS.kodo.copySizeMax,
      deadlineMs: options.deadlineMs,
      persistAttributes: options.persistAttributes ?? false,
      seams: options.seams ?? {},
    });
    const running: Running = {
      ...assembled,
      stop: async () => {
        if (this.#running.delete(running)) await assembled.stop();
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
