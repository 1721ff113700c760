// Who still needs an object of the bucket as it is: saves whose unchanged parts lie in it, under another key than their own
// or under none. It must not be replaced or deleted before they have what they need.

import {
  anySignal,
  codeOf,
  describe,
  ignoreInterrupted,
  KodomountError,
  Notifier,
} from "../base/mod.ts";
import { type Key, type PartNumber, type Source, sourceOf } from "../model/mod.ts";
import type { Engine } from "./engine.ts";
import { directoryOf } from "./order.ts";
import { refuseSave } from "./refuse-save.ts";
import type { Save } from "./save.ts";
import { partChanges } from "./save-records.ts";

/** The room that a part waits for may be taken by what waits for this part: then it is given up. */
const PART_WAIT_MAX_MS = 10 * 60_000;
/** Until what was promised, and could not be fetched, is tried again. */
const RETRY_MS = 10_000;

export class Needs {
  readonly #engine: Engine;
  /** By the key of the object. INVARIANT: no empty sets. */
  readonly #byKey = new Map<Key, Set<Save>>();
  readonly #keys = new Map<Save, Key>();
  readonly #fetching = new Set<Save>();
  /** Where something cannot be published because somebody needs what is there. */
  readonly #waiting = new Set<Key>();
  readonly #changed = new Notifier();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** From now on what its unchanged parts lie in is needed. */
  add(save: Save): void {
    this.remove(save);
    // What it replaces itself it has until it is published.
    const key = (save.isNameless ? sourceOf(save.record) : save.record.source)?.key;
    if (key === undefined || missing(save).length === 0) return;
    this.#keys.set(save, key);
    this.#byKey.set(key, (this.#byKey.get(key) ?? new Set()).add(save));
  }

  /** It has all, or is not wanted any more. */
  remove(save: Save): void {
    const key = this.#keys.get(save);
    if (key === undefined) return;
    this.#keys.delete(save);
    const saves = this.#byKey.get(key);
    saves?.delete(save);
    if (saves?.size === 0) this.#byKey.delete(key);
    this.#changed.notify();
  }

  has(key: Key): boolean {
    return this.#byKey.has(key);
  }

  /**
   * Resolves when `has` may have another answer. Who will not be done with the object by itself gets its bytes now: it
   * may be open for days, or wait for the very thing that waits for it.
   */
  async wait(key: Key, signal: AbortSignal): Promise<void> {
    for (const save of this.#byKey.get(key) ?? []) if (!this.#isAtWork(save)) this.fetch(save);
    await this.#changed.wait(signal);
  }

  /** What is to be published at `key` waits from now on, until this is disposed: who waits for that must not. */
  waitingAt(key: Key): Disposable {
    this.#waiting.add(key);
    this.#changed.notify();
    return { [Symbol.dispose]: () => void this.#waiting.delete(key) };
  }

  /** Brings what it needs into the spill, in the background. */
  fetch(save: Save): void {
    if (this.#fetching.has(save)) return;
    this.#fetching.add(save);
    const { key } = save.record;
    this.#engine.background.run(`fetching what ${key} needs`, async () => {
      try {
        await this.#fetchAll(save);
      } finally {
        this.#fetching.delete(save);
        this.#changed.notify();
      }
    });
  }

  /** It is being published and will be done with the object soon. */
  #isAtWork(save: Save): boolean {
    const { state, key } = save.record;
    if (state.kind === "completing") return true;
    if (state.kind !== "closed" || this.#waiting.has(key)) return false;
    return this.#engine.order.isTurn(state.order, directoryOf(key));
  }

  async #fetchAll(save: Save): Promise<void> {
    const { stop } = this.#engine;
    const signal = anySignal(save.abandon.signal, stop, AbortSignal.timeout(PART_WAIT_MAX_MS));
    try {
      this.#assertRoom(save, missing(save));
      for (const partNumber of missing(save)) {
        this.#assertRoom(save, [partNumber]);
        await save.content.materialize(partNumber, { promised: false, signal });
      }
      this.remove(save);
    } catch (error) {
      if (codeOf(error) === "Interrupted" && (save.abandon.signal.aborted || stop.aborted)) return;
      await this.#afterFailure(save, error);
    }
  }

  async #afterFailure(save: Save, error: unknown): Promise<void> {
    const { log, clock, stop } = this.#engine;
    const { key, state } = save.record;
    log.warn(
      { key, err: error },
      `${key} cannot get what it needs of ${sourceOf(save.record)?.key}: ${describe(error)}`,
    );
    // What was promised keeps the object as it is until there is room; who is still writing is told.
    if (!save.isNameless && state.kind !== "open")
      return clock.sleep(RETRY_MS, anySignal(stop, save.abandon.signal)).catch(ignoreInterrupted);
    if (!save.isNameless) await refuseSave(this.#engine, save, error);
    this.remove(save);
  }

  #assertRoom(save: Save, parts: readonly PartNumber[]): void {
    const { used, limit } = this.#engine.spill.usage();
    const size = parts.reduce((sum, partNumber) => sum + save.content.extent(partNumber).size, 0);
    if (used + size > limit)
      throw new KodomountError(
        "NoSpace",
        `the spill has no room for its ${size} bytes, see '--spill-limit'`,
      );
  }
}

/** The next bytes of an open save, up to `end`, are those of another object. */
export async function copyFrom(
  engine: Engine,
  save: Save,
  source: Source,
  end: number,
): Promise<void> {
  await save.content.appendBase(end);
  save.record = { ...save.record, source, size: end };
  engine.needs.add(save);
  await engine.catalog.apply([{ put: "save", record: save.record }, ...partChanges(save)], {
    sync: false,
  });
}

/** Whether some of its bytes are in the bucket only. */
export function needsSource(save: Save): boolean {
  return missing(save).length > 0;
}

/** Parts whose bytes are in the bucket only. */
function missing(save: Save): PartNumber[] {
  const { content } = save;
  return content.partNumbers().filter((partNumber) => content.part(partNumber).kind === "base");
}
