// A mount at work, from the moment it answers to the end of its process: what it tells, what it takes as orders, and in
// which order it ends. The directory goes first, then what was closed is published, then everything is taken down.

import { anySignal, type Clock, codeOf, KodomountError, type Log, newAbort } from "../base/mod.ts";
import type { MountConfig } from "../config/mod.ts";
import type {
  Action,
  ArchiveStatus,
  ControlTarget,
  MountStatus,
  OnWaiting,
  OnWarming,
  PendingStatus,
  RestoreOrder,
  UploadStatus,
  WarmAnswer,
} from "../control/mod.ts";

/** What of the object graph it needs; `compose` gives the real ones, tests what they like. */
export interface RunningParts {
  readonly config: MountConfig;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly payloadHash: MountStatus["payloadHash"];
  readonly pending: () => PendingStatus[];
  /** Nothing that is pending is to be held back: somebody waits. */
  readonly hurry: () => void;
  readonly act: (action: Action) => Promise<void>;
  readonly warm: ControlTarget["warm"];
  readonly archives: {
    status(path: string, signal: AbortSignal): Promise<ArchiveStatus>;
    restore(path: string, days: number, signal: AbortSignal): Promise<ArchiveStatus[]>;
  };
  readonly spill: () => MountStatus["spill"];
  readonly progress: () => { inFlight: number; bytesAcknowledged: number };
  readonly goodput: () => number;
  readonly trouble: () => MountStatus["trouble"];
  readonly failures: () => number;
  readonly openHandles: () => number;
  /** Ends every open of a file: after the unmount, which may have swallowed what the kernel had to say. */
  readonly releaseAll: () => Promise<void>;
  readonly mount: {
    /** Resolves when the kernel has let go of the directory, whoever asked for it. */
    readonly closed: Promise<void>;
    /** @throws `Busy` when files are open, unless forced. */
    unmount(options?: { readonly force: boolean }): Promise<void>;
  };
  /** Stops everything but the control socket. */
  readonly tearDown: () => Promise<void>;
}

const POLL_MS = 100;
/** Of the time that is left for saving, when thousands of files are looked through. */
const POLL_SHARE = 0.1;
/** Who waits at a screen sees that time goes by. */
const TELL_MS = 1000;
/** A RELEASE follows its close(2) at once, but nobody waits for it; what comes later has files open. */
const RELEASE_WAIT_MS = 1000;

export class Running implements ControlTarget {
  readonly #parts: RunningParts;
  readonly #since: number;
  /** Aborts when nothing more is waited for. */
  readonly #hurry = newAbort();
  #mounted = true;
  /**
   * One line for each promise that is not in the bucket when the process ends: it is in the state directory.
   * Rejects when taking down failed.
   */
  readonly ended: Promise<string[]>;

  constructor(parts: RunningParts) {
    this.#parts = parts;
    this.#since = parts.clock.now();
    this.ended = this.#run();
  }

  status(): MountStatus {
    const { config, version, payloadHash, pending, spill, progress, failures } = this.#parts;
    const { goodput, trouble } = this.#parts;
    const { endpoint, bucket, prefix, dir, stateDir, closeMode, readOnly } = config;
    const { inFlight, bytesAcknowledged } = progress();
    return {
      pid: process.pid,
      version,
      source: { endpoint, bucket, prefix },
      dir,
      stateDir,
      since: this.#since,
      closeMode,
      readOnly,
      payloadHash,
      mounted: this.#mounted,
      spill: spill(),
      pending: pending(),
      failures: failures(),
      inFlight,
      bytesAcknowledged,
      goodput: goodput(),
      trouble: trouble(),
    };
  }

  uploads(): UploadStatus[] {
    return this.#parts
      .pending()
      .flatMap((each) => (each.save === undefined ? [] : [{ ...each, save: each.save }]));
  }

  act(action: Action): Promise<void> {
    return this.#parts.act(action);
  }

  warm(paths: readonly string[], onWarming: OnWarming, signal: AbortSignal): Promise<WarmAnswer> {
    return this.#parts.warm(paths, onWarming, anySignal(signal, this.#hurry.signal));
  }

  archive(path: string, signal: AbortSignal): Promise<ArchiveStatus> {
    return this.#parts.archives.status(path, signal);
  }

  restore({ path, days }: RestoreOrder, signal: AbortSignal): Promise<ArchiveStatus[]> {
    return this.#parts.archives.restore(path, days, signal);
  }

  async waitFor(
    path: string | undefined,
    onWaiting: OnWaiting,
    signal: AbortSignal,
  ): Promise<{ failed: string[] }> {
    const either = anySignal(signal, this.#hurry.signal);
    let shown = "";
    let toldAt = Number.NEGATIVE_INFINITY;
    for (;;) {
      this.#parts.hurry();
      const at = this.#parts.clock.monotonic();
      const pending = this.#parts.pending().filter((each) => isAt(path, each));
      const waiting = pending.filter(isWaitedFor);
      if (waiting.length === 0)
        return { failed: pending.filter((each) => hasFailed(path, each)).map(failureLine) };
      const now = JSON.stringify(waiting);
      if (now !== shown || at - toldAt >= TELL_MS) {
        onWaiting({ ...this.status(), pending: waiting });
        toldAt = at;
      }
      shown = now;
      const took = this.#parts.clock.monotonic() - at;
      await this.#parts.clock.sleep(Math.max(POLL_MS, took / POLL_SHARE), either);
    }
  }

  async stop(
    options: { readonly wait: boolean },
    onWaiting: OnWaiting,
    signal: AbortSignal,
  ): Promise<{ left: string[] }> {
    await this.#handlesReleased(signal);
    if (options.wait) await this.waitFor(undefined, onWaiting, signal);
    if (this.#mounted) await this.#parts.mount.unmount();
    if (!options.wait) this.#hurry.abort();
    else await this.waitFor(undefined, onWaiting, signal);
    return { left: await this.ended };
  }

  /** Ends now: open files fail, and what is not in the bucket stays in the state directory. */
  async abandon(): Promise<void> {
    this.#hurry.abort();
    if (this.#mounted) await this.#parts.mount.unmount({ force: true });
  }

  async #run(): Promise<string[]> {
    const { log, mount, tearDown } = this.#parts;
    await mount.closed;
    this.#mounted = false;
    await this.#parts.releaseAll();
    const count = this.#promised().length;
    log.info({ pending: count }, `Unmounted; ${count} closed files are not in the bucket yet`);
    try {
      await this.waitFor(undefined, () => undefined, this.#hurry.signal);
    } catch (error) {
      if (codeOf(error) !== "Interrupted") throw error;
    }
    const left = this.#promised().map(failureLine);
    await tearDown();
    for (const line of left)
      log.warn({}, `Not in the bucket yet, kept for the next mount: ${line}`);
    return left;
  }

  #promised(): PendingStatus[] {
    return this.#parts.pending().filter((each) => each.promised);
  }

  async #handlesReleased(signal: AbortSignal): Promise<void> {
    const { clock, openHandles } = this.#parts;
    const end = clock.monotonic() + RELEASE_WAIT_MS;
    while (openHandles() > 0 && clock.monotonic() < end) await clock.sleep(POLL_MS / 10, signal);
  }
}

/** Whether it is the file at `path`, or below the directory there. */
function isAt(path: string | undefined, pending: PendingStatus): boolean {
  const base = path?.replace(/\/+$/, "") ?? "";
  return base === "" || pending.path === base || pending.path.startsWith(`${base}/`);
}

function isWaitedFor(pending: PendingStatus): boolean {
  return pending.promised && pending.state !== "parked";
}

/** What was interrupted was promised to nobody; who asks for that very file must know all the same. */
function hasFailed(path: string | undefined, { state, path: at }: PendingStatus): boolean {
  return state === "parked" || state === "refused" || (state === "interrupted" && at === path);
}

function failureLine({ path, state, error }: PendingStatus): string {
  return `${path}: ${state}${error === undefined ? "" : ` (${error})`}`;
}

/** The save that `act` is asked for. @throws `NotFound`. */
export function foundSave<T>(save: T | undefined, id: string): T {
  if (save !== undefined) return save;
  throw new KodomountError(
    "NotFound",
    `There is no pending save ${JSON.stringify(id)}; see 'kodomount uploads'`,
  );
}
