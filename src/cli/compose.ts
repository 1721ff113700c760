// The one place where the parts are put together: the whole object graph of a mount on one screen. Whatever was started
// is stopped again in reverse order, also when a later part fails to start.

import { readFile } from "node:fs/promises";
import path from "node:path";
import {
  Background,
  type Clock,
  describe,
  KodomountError,
  type Log,
  systemClock,
} from "../base/mod.ts";
import { Catalog } from "../catalog/mod.ts";
import {
  defaultCacheSize,
  defaultSpillLimit,
  formatSource,
  type MountConfig,
} from "../config/mod.ts";
import type { ControlTarget, MountStatus } from "../control/mod.ts";
import { createFilesystem, type KodoFilesystem } from "../fs/mod.ts";
import { foreseeAttributes, mountFuse, threadGroupOf } from "../fuse/mod.ts";
import {
  cacheFilesDir,
  Loader,
  lockCache,
  ReadThread,
  type ReadThreadOptions,
  warm,
} from "../load/mod.ts";
import { HeldNames, PROVIDERS, partPlan, StorageClasses, toSaveId } from "../model/mod.ts";
import { type Publisher, startPublisher } from "../publish/mod.ts";
import { Sender } from "../send/mod.ts";
import { Spill } from "../spill/mod.ts";
import {
  checkAccess,
  createS3Store,
  type ObjectStore,
  probePayloadHash,
  Troubles,
  withRetry,
} from "../store/mod.ts";
import { explainAccess } from "./access.ts";
import { keepPlan } from "./kept-plan.ts";
import { Movement } from "./movement.ts";
import { foundSave, Running } from "./running.ts";
import { toStoreOptions } from "./store-options.ts";
import { Undo } from "./undo.ts";
import { readVersion } from "./version.ts";

/** A first look that fails this long is not a hiccup. */
const ACCESS_DEADLINE_MS = 5000;
/** A program waits for a listing that long, not for ever. */
const INTERACTIVE_DEADLINE_MS = 30_000;
/** The kernel believes what it was told for so long, on top of what a listing is used for. */
const KERNEL_BELIEVES_MS = 1000;
/** After the mount has answered: whoever has made it has the processor for himself before. */
const READ_THREAD_AFTER_MS = 1000;
/** Where packets are lost it takes many to fill a link. */
const READ_CONNECTIONS = 128;

/** How long a file under a temporary name waits for its rename after its last use. */
const HOLD_MS = 60_000;
/** Longer than most programs wait between two records; after that one GET is no burden. */
const KEEP_MS = 10_000;

/** Everything of a mount, started; its directory is mounted when this resolves. */
export async function compose(config: MountConfig, log: Log): Promise<Running> {
  const background = new Background(log);
  const base: Base = { config, log, background, clock: systemClock, undo: new Undo() };
  try {
    return await build(base);
  } catch (error) {
    await base.undo.run();
    throw error;
  }
}

/** What every part is given. */
interface Base {
  readonly config: MountConfig;
  readonly log: Log;
  readonly clock: Clock;
  /** Of everything but the control socket, whose requests wait for this to settle. */
  readonly background: Background;
  /** Stops what was started, the last first. */
  readonly undo: Undo;
}

async function build(base: Base): Promise<Running> {
  const { config, log, clock, background, undo } = base;
  const plain = createS3Store(toStoreOptions(config), { clock, log });
  undo.add(() => plain.close());
  const payloadHash = await lookAtStore(base, plain);
  const catalog = await openCatalog(base);
  const plan = partPlan(config.partSize, PROVIDERS[config.provider]);
  await keepPlan(config.stateDir, plan, async () => (await catalog.contents()).saves.length);
  const { filesystem, publisher, spill, sender, troubles, changes, reads } = await startEngine(
    base,
    plain,
    catalog,
  );
  const movement = new Movement({
    clock,
    log,
    look: () => ({
      ...sender.progress(),
      moved: sender.progress().bytesAcknowledged + changes(),
      trouble: troubles.longest,
      pending: () => publisher.pending(),
    }),
  });
  undo.add(() => movement.stop());
  const mount = await mountFuse({
    filesystem,
    dir: config.dir,
    source: formatSource(config),
    allowOther: config.allowOther,
    readOnly: config.readOnly,
    log,
    background,
  });
  undo.add(clock.after(READ_THREAD_AFTER_MS, reads.startThread));
  return new Running({
    config,
    version: readVersion(),
    clock,
    log,
    payloadHash,
    pending: () => publisher.pending(),
    hurry: () => publisher.hurry(),
    act: ({ kind, save }) =>
      publisher.act(kind, foundSave(publisher.findSave(toSaveId(save)), save)),
    warm: reads.warm,
    archives: filesystem.archives,
    spill: () => spill.usage(),
    progress: () => sender.progress(),
    goodput: () => movement.goodput,
    trouble: () => troubles.longest,
    failures: () => background.failures,
    openHandles: () => filesystem.openHandles,
    releaseAll: () => filesystem.releaseAll(),
    mount,
    tearDown: () => undo.run(),
  });
}

async function openCatalog({ config, log, clock, undo }: Base): Promise<Catalog> {
  const { endpoint, bucket, prefix, stateDir } = config;
  const catalog = await Catalog.open({
    dir: path.join(stateDir, "catalog"),
    identity: { endpoint, bucket, prefix },
    bootId: (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim(),
    clock,
    log,
  });
  undo.add(() => catalog.close());
  return catalog;
}

interface Engine {
  readonly filesystem: KodoFilesystem;
  readonly publisher: Publisher;
  readonly spill: Spill;
  readonly sender: Sender;
  readonly troubles: Troubles;
  /** How many objects of the bucket this mount has made, changed or removed. */
  readonly changes: () => number;
  readonly reads: Reads;
}

interface Reads {
  readonly warm: ControlTarget["warm"];
  /** So that the first read does not wait for it. */
  readonly startThread: () => void;
}

/** Spill, sender, publisher and the filesystem over them, with everything that an earlier run left. */
async function startEngine(base: Base, plain: ObjectStore, catalog: Catalog): Promise<Engine> {
  const { config, log, clock, background, undo } = base;
  const profile = PROVIDERS[config.provider];
  const spill = await Spill.open({
    dir: path.join(config.stateDir, "spill"),
    limit: config.spillLimit ?? (await defaultSpillLimit(config.stateDir)),
    log,
  });
  undo.add(() => spill.close());
  const store = toStoreOptions(config);
  const troubles = new Troubles(clock);
  const sender = await Sender.start({ store, lanes: config.uploads, clock, log, troubles });
  undo.add(() => sender.stop());
  const patient = withRetry(plain, { clock, log, troubles });
  const deadlineMs = INTERACTIVE_DEADLINE_MS;
  const patientForAWhile = withRetry(plain, { clock, log, troubles, deadlineMs });
  const { loader, ...reads } = await startLoader(base, patientForAWhile, catalog);
  let filesystem: KodoFilesystem | undefined;
  let changes = 0;
  const engine = await startPublisher({
    catalog,
    spill,
    sender,
    store: patient,
    clock,
    log,
    background,
    plan: partPlan(config.partSize, profile),
    lagMs: config.closeLagMs,
    paced: config.closeMode !== "local",
    copySizeMax: profile.copySizeMax,
    storageClasses: new StorageClasses(config.storageClasses),
    persistAttributes: config.persistAttributes === "copy",
    held: new HeldNames(config.hold),
    holdMs: HOLD_MS,
    keepMs: KEEP_MS,
    onObjectChanged: (key, now) => {
      changes += 1;
      loader.note(key, now);
      filesystem?.objectChanged(key);
    },
    troubles,
    trusted: catalog.sameBoot || catalog.cleanStop,
  });
  undo.add(() => engine.stop());
  const { publisher } = engine;
  filesystem = createFilesystem({
    publisher,
    loader,
    catalog,
    clock,
    log,
    background,
    closeMode: config.closeMode,
    readOnly: config.readOnly,
    prefix: config.prefix,
    keySizeMax: profile.keySizeMax,
    threadGroup: threadGroupOf,
    foresee: (pid, name) => foreseeAttributes(pid, name, config.dir),
  });
  filesystem.restoreReplies(engine.replies);
  return { filesystem, publisher, spill, sender, troubles, changes: () => changes, reads };
}

/** What shows what is in the bucket. @param store with a deadline. */
async function startLoader(
  base: Base,
  store: ObjectStore,
  catalog: Catalog,
): Promise<{ loader: Loader } & Reads> {
  const { config, log, clock, undo } = base;
  const cache = await openCache(base);
  // Not the connections of those that save: neither waits for the other.
  const reader = new ReadThread(
    {
      store: { ...toStoreOptions(config), connections: READ_CONNECTIONS },
      memory: config.readMemory,
      cache,
      readEndpoint: config.readEndpoint,
    },
    log,
  );
  undo.add(() => reader.stop());
  const loader = new Loader({
    store,
    reader,
    catalog,
    clock,
    log,
    // It is used for as long again while it is fetched anew.
    ttlMs: Math.max(0, config.listTtlMs - KERNEL_BELIEVES_MS) / 2,
    defaults: { ...OWNER, fileMode: 0o644, directoryMode: 0o755, mtimeMs: clock.now() },
  });
  undo.add(() => loader.stop());
  return {
    loader,
    startThread: () => reader.start(),
    warm: async (paths, onWarming, signal) => {
      if (cache === undefined) throw noCache(config.dir);
      const keep: ReadThread["keep"] = (request, each) => reader.keep(request, each);
      return warm({ loader, keep, cacheSize: cache.size, clock }, paths, onWarming, signal);
    },
  };
}

function noCache(dir: string): KodomountError {
  return new KodomountError(
    "Config",
    `The mount at ${dir} has no cache on disk: mount it with '--cache-dir DIR'`,
  );
}

/** The cache on disk, which is this mount's alone from here on. */
async function openCache({ config, undo }: Base): Promise<ReadThreadOptions["cache"]> {
  if (config.cache === undefined) return undefined;
  const { dir, size } = config.cache;
  const files = cacheFilesDir(dir);
  const lock = await lockCache(dir);
  undo.add(async () => lock[Symbol.asyncDispose]());
  return { dir, size: size ?? (await defaultCacheSize({ dir, files, stateDir: config.stateDir })) };
}

/** Who owns what says nothing about its owner. */
const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** Whether the bucket can be used, and whether the store notices a body that changed on its way. */
async function lookAtStore(
  { config, log, clock }: Base,
  plain: ObjectStore,
): Promise<MountStatus["payloadHash"]> {
  const store = withRetry(plain, { clock, log, deadlineMs: ACCESS_DEADLINE_MS });
  try {
    await checkAccess(store);
  } catch (error) {
    throw explainAccess(error, config);
  }
  if (config.readOnly) return "unknown";
  try {
    const payloadHash = await probePayloadHash(store);
    if (payloadHash === "verified") log.info({ payloadHash }, "The store checks what it receives");
    else
      log.warn(
        { payloadHash },
        "The store takes bodies that do not match their signed hash: damage on the way would not be noticed",
      );
    return payloadHash;
  } catch (error) {
    // Saving may work all the same, or says by itself why not.
    log.warn({ err: error }, `Whether the store checks bodies is not known: ${describe(error)}`);
    return "unknown";
  }
}
