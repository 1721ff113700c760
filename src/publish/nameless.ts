// Content whose name is gone while somebody has it open: read and written until the last handle is released. It is entered
// at no key and in no record, so a crash forgets it. What it needs of an object is fetched before that object goes.

import { anySignal, codeOf, describe, KodomountError, Notifier, newAbort } from "../base/mod.ts";
import type { Key, PartNumber } from "../model/mod.ts";
import { leaveSave } from "./drop-save.ts";
import type { Engine } from "./engine.ts";
import { Save } from "./save.ts";
import { leaveUploadSlot } from "./upload-slot.ts";

/** Who has the file open whose name goes. */
export interface Keeper {
  /** What the bucket has, as content of its own; undefined when what is there is pending. */
  readonly spare: Save | undefined;
  /** Told at once what is read and written from now on. */
  take(save: Save): void;
}

/** The room that a part waits for may be taken by what waits for this part: then it is given up. */
const PART_WAIT_MAX_MS = 10 * 60_000;

export class Nameless {
  readonly #engine: Engine;
  /** By the key of the object whose bytes are still to come. INVARIANT: no empty sets. */
  readonly #fetching = new Map<Key, Set<Save>>();
  readonly #changed = new Notifier();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A closed save, as content that may be written to. Its records are the caller's. */
  adopt(closed: Save): Save {
    leaveSave(this.#engine, closed);
    closed.isNameless = true;
    const save = new Save({ ...closed.record, state: { kind: "open" } }, closed.content);
    this.keep(save);
    return save;
  }

  /** From now on it has no name. Its own waits end, and what it needs of the object underneath is fetched. */
  keep(save: Save): void {
    save.isNameless = true;
    this.#engine.saves.delete(save.record.id);
    leaveUploadSlot(this.#engine, save);
    save.abandon.abort();
    save.abandon = newAbort();
    const { key } = save.record;
    if (missing(save).length === 0) return;
    this.#fetching.set(key, (this.#fetching.get(key) ?? new Set()).add(save));
    this.#engine.background.run(`keeping ${key} for who has it open`, () =>
      this.#fetch(save).finally(() => this.#leave(save)),
    );
  }

  /** Somebody still fetches what is at `key`. */
  needs(key: Key): boolean {
    return this.#fetching.has(key);
  }

  /** Resolves when `needs` may have another answer. */
  async wait(signal: AbortSignal): Promise<void> {
    await this.#changed.wait(signal);
  }

  async #fetch(save: Save): Promise<void> {
    const { log, stop } = this.#engine;
    const signal = anySignal(save.abandon.signal, stop, AbortSignal.timeout(PART_WAIT_MAX_MS));
    const { key } = save.record;
    try {
      this.#assertRoom(save, missing(save));
      for (const partNumber of missing(save)) {
        this.#assertRoom(save, [partNumber]);
        await save.content.materialize(partNumber, signal);
      }
    } catch (error) {
      if (codeOf(error) === "Interrupted" && (save.abandon.signal.aborted || stop.aborted)) return;
      log.warn(
        { key, err: error },
        `${key} was removed or replaced while it was open, and cannot be kept for who has it open: ${describe(error)}`,
      );
    }
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

  #leave(save: Save): void {
    const { key } = save.record;
    const saves = this.#fetching.get(key);
    saves?.delete(save);
    if (saves?.size === 0) this.#fetching.delete(key);
    this.#changed.notify();
  }
}

/** Parts whose bytes are in the bucket only. */
function missing(save: Save): PartNumber[] {
  const { content } = save;
  return content.partNumbers().filter((partNumber) => content.part(partNumber).kind === "base");
}
