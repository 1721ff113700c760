// One batch after the other, in the order of asking: LevelDB's own threads keep no order, and records are replaced.
// What is asked for while a batch is being written goes into the next one together, so that many callers share a sync.

import {
  Background,
  type Clock,
  describe,
  invariant,
  KodomountError,
  type Log,
} from "../base/mod.ts";
import { encode } from "./codec.ts";
import type { Database } from "./database.ts";
import { isNumberedBelow, rangeOf, SYNC_KEY } from "./keys.ts";

export type JournalStep =
  | { readonly type: "put"; readonly key: string; readonly value: string }
  | { readonly type: "del"; readonly key: string }
  /** Every key that is `prefix` and a part number. */
  | { readonly type: "delNumbered"; readonly prefix: string };

type Operation = Exclude<JournalStep, { type: "delNumbered" }>;

interface Batch {
  readonly steps: readonly JournalStep[];
  readonly sync: boolean;
  readonly resolve: () => void;
  readonly reject: (error: KodomountError) => void;
}

/** What was not synced may be lost for this long in a loss of power, no longer. */
const HEARTBEAT_MS = 1000;

export class Journal {
  readonly #db: Database;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #background: Background;
  /** INVARIANT: nothing waits in it unless a batch is being written. */
  #waiting: Batch[] = [];
  #writing = false;
  #dirty = false;
  #cancelHeartbeat: (() => void) | undefined;

  constructor(db: Database, options: { dir: string; clock: Clock; log: Log }) {
    this.#db = db;
    this.#dir = options.dir;
    this.#clock = options.clock;
    this.#background = new Background(options.log);
  }

  /**
   * All of `steps` or nothing, behind everything that was asked for earlier.
   * @param sync resolve only when it, and all before it, survives a loss of power.
   * @throws `NoSpace`, `Io`.
   */
  write(steps: readonly JournalStep[], sync: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ steps, sync, resolve, reject });
      if (this.#writing) return;
      this.#writing = true;
      this.#background.run("writing the catalog", () => this.#writeAll());
    });
  }

  /** No heartbeat any more; resolves when everything that was asked for is written or has failed. */
  async stop(): Promise<void> {
    this.#cancelHeartbeat?.();
    this.#cancelHeartbeat = undefined;
    await this.#background.settled();
    invariant(!this.#writing, "the catalog is not written to while it is closed");
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#writeGroup(group);
        for (const { resolve } of group) resolve();
      } catch (error) {
        const failure = this.#failure(error);
        for (const { reject } of group) reject(failure);
      }
    }
    this.#writing = false;
  }

  async #writeGroup(group: readonly Batch[]): Promise<void> {
    const sync = group.some((batch) => batch.sync);
    const operations: Operation[] = [];
    for (const { steps } of group)
      for (const step of steps)
        if (step.type === "delNumbered") operations.push(...(await this.#below(step, operations)));
        else operations.push(step);
    if (sync)
      operations.push({
        type: "put",
        key: SYNC_KEY,
        value: encode(SYNC_KEY, this.#clock.now()),
      });
    if (operations.length === 0) return;
    await this.#db.batch(operations, { sync });
    this.#dirty = !sync;
    if (this.#dirty) this.#startHeartbeat();
  }

  /** What is there already, and what the same batch puts there. */
  async #below({ prefix }: { prefix: string }, before: readonly Operation[]): Promise<Operation[]> {
    const keys = new Set(await this.#db.keys(rangeOf(prefix)).all());
    for (const operation of before) keys.add(operation.key);
    return [...keys]
      .filter((key) => isNumberedBelow(key, prefix))
      .map((key) => ({ type: "del", key }));
  }

  #startHeartbeat(): void {
    this.#cancelHeartbeat ??= this.#clock.after(HEARTBEAT_MS, () => {
      this.#cancelHeartbeat = undefined;
      if (this.#dirty) this.#background.run("syncing the catalog", () => this.write([], true));
    });
  }

  #failure(error: unknown): KodomountError {
    const text = describe(error);
    return new KodomountError(
      /No space left|quota exceeded/i.test(text) ? "NoSpace" : "Io",
      `The catalog in ${this.#dir} cannot be written: ${text}`,
      { cause: error },
    );
  }
}
