// How much may lie in the spill. Only the start of a part waits, so that no set of half-written parts can wait for each
// other, and a file always gets its first part; so every file may be one part above the limit.

import { Background, type Clock, KodomountError, type Log, toError } from "../base/mod.ts";
import type { SaveId } from "../model/mod.ts";
import type { DiskSpace } from "./io.ts";
import { NO_RELIEF, type Relief } from "./relief.ts";
import { Reservations } from "./reservations.ts";

export interface BudgetOptions {
  /** Bytes. */
  readonly limit: number;
  readonly space: () => Promise<DiskSpace>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who wants to begin a part that is not the first of its file. */
export interface PartRequest {
  readonly save: SaveId;
  /** Bytes that the part may get. */
  readonly size: number;
  /** What a close has promised needs it: it goes first and is never refused, since its end makes room. */
  readonly promised: boolean;
}

/** The disk is not filled to its last byte, the catalog lives there too: this much is left, or that share of a small disk. */
const RESERVE_MAX = 256 * 1024 * 1024;
const RESERVE_SHARE = 1 / 16;
/** The disk is asked at most this often; who waits looks again as often, since others may fill and free the disk. */
const LOOK_MS = 1000;

interface Waiter extends PartRequest {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Budget {
  readonly #options: BudgetOptions;
  readonly #background: Background;
  #relief = NO_RELIEF;
  #used = 0;
  readonly #begun = new Reservations();
  /** What the disk said last: when, on the monotonic clock, and what was used then. undefined: ask before anybody goes on. */
  #disk: { readonly at: number; readonly used: number; readonly room: number } | undefined;
  /** INVARIANT: in the order of asking. */
  readonly #waiters: Waiter[] = [];
  #looking = false;
  /** Something has changed since the look that is under way began. */
  #lookAgain = false;
  #cancelLook: (() => void) | undefined;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#background = new Background(options.log);
  }

  get used(): number {
    return this.#used;
  }

  get limit(): number {
    return this.#options.limit;
  }

  /** Who waits, in the order of asking. */
  waiting(): SaveId[] {
    return this.#waiters.map(({ save }) => save);
  }

  /** From now on `relief` is asked when there is no room. */
  relieveBy(relief: Relief): void {
    this.#relief = relief;
  }

  add(bytes: number): void {
    this.#used += bytes;
  }

  /** As `add`, of a part that the save has begun. */
  write(save: SaveId, bytes: number): void {
    this.add(bytes);
    this.#begun.written(save, bytes);
  }

  /** Bytes were freed: who waits goes on. */
  free(bytes: number): void {
    this.#used -= bytes;
    if (bytes > 0) this.changed();
  }

  /** The save begins no part any more, or what it has begun is complete. */
  settle(save: SaveId): void {
    this.#begun.set(save, 0);
    this.changed();
  }

  /** Who waits may go on by now. */
  changed(): void {
    if (this.#waiters.length > 0) this.#look();
  }

  /**
   * Resolves when the part may begin.
   * @throws `NoSpace` when nothing could make room; `Interrupted`.
   */
  async startPart(request: PartRequest, signal?: AbortSignal): Promise<void> {
    const queued = this.#waiters.length > 0;
    if (!queued && this.#isDiskKnown() && this.#hasRoom(request.size))
      return this.#begun.set(request.save, request.size);
    await this.#wait(request, signal);
  }

  /** Nobody may start a part any more: whoever still waits is refused. */
  async stop(): Promise<void> {
    this.#cancelLook?.();
    const stopped = new KodomountError("Interrupted", "The spill is being closed");
    for (const { reject } of this.#waiters.splice(0)) reject(stopped);
    await this.#background.settled();
  }

  /** A limit below one part lets one part begin. */
  #hasRoom(size: number): boolean {
    const taken = this.#used + this.#begun.total;
    return taken + Math.min(size, this.limit) <= this.limit && this.#hasDisk(size);
  }

  #isDiskKnown(): boolean {
    const now = this.#options.clock.monotonic();
    return this.#disk !== undefined && now - this.#disk.at < LOOK_MS;
  }

  /** What was written and freed since the disk was asked is known, of others only what was then. */
  #hasDisk(size: number): boolean {
    const { room, used } = this.#disk ?? { room: 0, used: 0 };
    return room - (this.#used - used) - this.#begun.total >= size;
  }

  #wait(request: PartRequest, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(interrupted());
      };
      const done = (): void => signal?.removeEventListener("abort", leave);
      const waiter: Waiter = {
        ...request,
        resolve: () => {
          done();
          resolve();
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      if (signal?.aborted) return reject(interrupted());
      this.#waiters.push(waiter);
      signal?.addEventListener("abort", leave, { once: true });
      this.#look();
    });
  }

  /** Lets go on who can. One look at a time, and once more for what changed meanwhile. */
  #look(): void {
    this.#lookAgain = true;
    if (this.#looking) return;
    this.#looking = true;
    this.#background.run("looking for room in the spill", async () => {
      try {
        while (this.#lookAgain) {
          this.#lookAgain = false;
          await this.#serve();
        }
      } finally {
        this.#looking = false;
      }
    });
  }

  async #serve(): Promise<void> {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    try {
      do {
        if (!this.#isDiskKnown()) await this.#askDisk();
        while (this.#admitNext());
      } while (this.#waiters.length > 0 && (await this.#makeRoom()));
    } catch (error) {
      for (const { reject } of this.#waiters.splice(0)) reject(toError(error));
    }
    if (this.#waiters.length > 0)
      this.#cancelLook = this.#options.clock.after(LOOK_MS, () => this.#look());
  }

  /** Whether somebody may go on now. */
  #admitNext(): boolean {
    const next =
      this.#waiters.find(({ promised }) => promised) ??
      this.#waiters.find(({ save }) => this.#relief.isStreaming(save)) ??
      this.#waiters[0];
    if (next === undefined || !this.#hasRoom(next.size)) return false;
    this.#admit(next);
    return true;
  }

  #admit(waiter: Waiter): void {
    this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
    this.#begun.set(waiter.save, waiter.size);
    waiter.resolve();
  }

  /** @returns whether to look again at once. */
  async #makeRoom(): Promise<boolean> {
    const waiting = new Set(this.waiting());
    if (this.#willHaveRoom(this.#relief.expected(waiting))) return false;
    const made = await this.#relief.make(waiting);
    if (made.kind === "later" || this.#lookAgain) return false;
    if (made.kind === "room") {
      this.#disk = undefined;
      return true;
    }
    const one =
      made.kind === "one" ? this.#waiters.find(({ save }) => save === made.save) : undefined;
    if (one !== undefined && this.#hasDisk(one.size)) {
      this.#admit(one);
      return true;
    }
    return this.#giveUpOne();
  }

  /** Whether what is expected to be free lets the first of them go on. Of the disk others have a part, too. */
  #willHaveRoom(expected: number): boolean {
    if (expected === 0) return false;
    const wanted = this.#waiters[0]?.size ?? 0;
    if (!this.#hasDisk(wanted)) return true;
    const size = Math.min(wanted, this.limit);
    return this.#used + this.#begun.total - expected + size <= this.limit;
  }

  async #askDisk(): Promise<void> {
    const { free, total } = await this.#options.space();
    const room = free - Math.min(RESERVE_MAX, total * RESERVE_SHARE);
    this.#disk = { at: this.#options.clock.monotonic(), used: this.#used, room };
  }

  /** The newest is refused, one at a time: what the failing program gives up may be room enough for the others. */
  #giveUpOne(): boolean {
    const refused = this.#waiters.findLast(({ promised }) => !promised);
    if (refused === undefined) return this.#goOnWithPromised();
    const what = this.#hasDisk(refused.size)
      ? `the spill holds ${this.#used} bytes, its limit is ${this.limit}`
      : "the disk of the state directory is full";
    const error = new KodomountError(
      "NoSpace",
      `No room to write: ${what}, and nothing that is pending could free any; see '--spill-limit', '--state-dir' and, for what is kept of files that were not closed, 'kodomount uploads'`,
    );
    const { save } = refused;
    this.#options.log.warn({ save, used: this.#used, limit: this.limit }, error.message);
    this.#waiters.splice(this.#waiters.indexOf(refused), 1);
    refused.reject(error);
    return false;
  }

  /** Only what is promised waits: no limit keeps it from the bucket, unless the disk is full. */
  #goOnWithPromised(): boolean {
    const [first] = this.#waiters;
    if (first === undefined || !this.#hasDisk(first.size)) return false;
    this.#admit(first);
    return true;
  }
}

function interrupted(): KodomountError {
  return new KodomountError("Interrupted", "The wait for room in the spill was interrupted");
}
