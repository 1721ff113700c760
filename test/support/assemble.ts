// The product without FUSE, put together from parts of which a test may have replaced some.

import { join } from "node:path";
import { Background, type Clock, type Log, silentLog, systemClock } from "../../src/base/mod.ts";
import { Catalog, type CatalogOptions } from "../../src/catalog/mod.ts";
import {
  createFilesystem,
  type Filesystem,
  type FilesystemOptions,
  type KodoFilesystem,
} from "../../src/fs/mod.ts";
import { Blocks, Loader } from "../../src/load/mod.ts";
import {
  HeldNames,
  type PartPlan,
  PROVIDERS,
  StorageClasses,
  type StorageRule,
} from "../../src/model/mod.ts";
import { type Publisher, startPublisher } from "../../src/publish/mod.ts";
import { Sender, type Sending } from "../../src/send/mod.ts";
import { Spill, type SpillIo } from "../../src/spill/mod.ts";
import {
  createS3Store,
  type ObjectStore,
  type StoreOptions,
  Troubles,
  withRetry,
} from "../../src/store/mod.ts";

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

/** What a test may put in the place of the real thing. */
export interface Seams {
  readonly clock: Clock;
  readonly log: Log;
  readonly io: SpillIo;
  readonly openDatabase: NonNullable<CatalogOptions["openDatabase"]>;
  /** Without retries. */
  readonly plain: ObjectStore;
  readonly sender: Sending & { stop(): Promise<void> };
}

export interface Parts {
  readonly storeOptions: StoreOptions;
  readonly stateDir: string;
  readonly bootId: string;
  readonly plan: PartPlan;
  readonly closeMode: FilesystemOptions["closeMode"];
  readonly lagMs: number;
  readonly spillLimit: number;
  readonly hold: readonly string[];
  readonly holdMs: number;
  /** How long small content is kept after it was published. */
  readonly keepMs: number;
  readonly storageClasses?: readonly StorageRule[];
  readonly listTtlMs: number;
  readonly copySizeMax: number;
  readonly persistAttributes: boolean;
  /** How long a lookup may take; undefined: without end. */
  readonly deadlineMs: number | undefined;
  readonly seams?: Partial<Seams>;
}

const LANES = 8;

/** Started, with everything that an earlier run has left. */
export async function assemble(parts: Parts): Promise<Running> {
  const { stateDir, bootId, storeOptions, seams = {} } = parts;
  const { clock = systemClock, log = silentLog } = seams;
  const background = new Background(log);
  const catalog = await Catalog.open({
    dir: join(stateDir, "catalog"),
    identity: { endpoint: "test", bucket: "bucket", prefix: "" },
    log,
    clock,
    bootId,
    ...(seams.openDatabase === undefined ? {} : { openDatabase: seams.openDatabase }),
  });
  const spill = await Spill.open({
    dir: join(stateDir, "spill"),
    limit: parts.spillLimit,
    log,
    clock,
    ...(seams.io === undefined ? {} : { io: seams.io }),
  });
  const plain = seams.plain ?? createS3Store(storeOptions, { clock, log });
  const troubles = new Troubles(clock);
  const store = withRetry(plain, { clock, log, troubles });
  const sender =
    seams.sender ??
    (await Sender.start({ store: storeOptions, lanes: LANES, log, clock, troubles }));
  const loader = new Loader({
    store: withRetry(plain, { clock, log, deadlineMs: parts.deadlineMs }),
    reader: new Blocks({ store, clock, memory: 16 << 20 }),
    catalog,
    clock,
    log,
    ttlMs: parts.listTtlMs,
    defaults: { uid: 0, gid: 0, fileMode: 0o644, directoryMode: 0o755, mtimeMs: 0 },
  });
  let filesystem: KodoFilesystem | undefined;
  const started = await startPublisher({
    catalog,
    spill,
    sender,
    store,
    clock,
    log,
    background,
    plan: parts.plan,
    lagMs: parts.lagMs,
    paced: parts.closeMode !== "local",
    copySizeMax: parts.copySizeMax,
    storageClasses: new StorageClasses(parts.storageClasses),
    persistAttributes: parts.persistAttributes,
    held: new HeldNames(parts.hold),
    holdMs: parts.holdMs,
    keepMs: parts.keepMs,
    troubles,
    onObjectChanged: (key, now) => {
      loader.note(key, now);
      filesystem?.objectChanged(key);
    },
    trusted: catalog.sameBoot || catalog.cleanStop,
  });
  const { publisher } = started;
  filesystem = createFilesystem({
    publisher,
    loader,
    catalog,
    clock,
    log,
    background,
    closeMode: parts.closeMode,
    readOnly: false,
    prefix: "",
    keySizeMax: PROVIDERS.kodo.keySizeMax,
    threadGroup: async (pid) => pid,
    foresee: async () => undefined,
  });
  filesystem.restoreReplies(started.replies);
  return {
    filesystem,
    publisher,
    catalog,
    spill,
    background,
    stop: async () => {
      await started.stop();
      await loader.stop();
      await sender.stop();
      store.close();
      await spill.close();
      await catalog.close();
    },
  };
}
