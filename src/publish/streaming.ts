// Files that are larger than the spill. When nobody can begin a part and nothing that is pending would change that, the
// largest file that is written in order becomes streaming: what the store has acknowledged of it goes from the spill.

import { describe, step } from "../base/mod.ts";
import { type PartNumber, partOfNumber, type SaveId, toPartNumber } from "../model/mod.ts";
import type { Made, Relief } from "../spill/mod.ts";
import type { Engine } from "./engine.ts";
import { isHeld } from "./evidence.ts";
import type { Save } from "./save.ts";
import { partChange } from "./save-records.ts";

/** Part 1 stays anyhow: it is sent last. `tail`: the last two stay, as long as there is another way. */
type Keeping = "tail" | "nothing";

const NOTHING: Made = { kind: "nothing" };
const LATER: Made = { kind: "later" };
const ROOM: Made = { kind: "room" };

/** So long nobody else goes on above the limit, unless who did comes back earlier: it may also be idle for days. */
const ALONE_MS = 1000;

export class Streaming implements Relief {
  readonly #engine: Engine;
  /** Who began a part above the limit last, and when, on the monotonic clock. */
  #alone: { readonly save: SaveId; readonly at: number } | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  expected(waiting: ReadonlySet<SaveId>): number {
    const { saves, spill } = this.#engine;
    let bytes = 0;
    for (const { record } of saves.values()) {
      const { kind } = record.state;
      if ((kind === "closed" || kind === "completing") && !waiting.has(record.id))
        bytes += spill.bytesOf(record.id);
    }
    return bytes;
  }

  isStreaming(id: SaveId): boolean {
    return this.#engine.saves.get(id)?.record.streaming === true;
  }

  async make(waiting: ReadonlySet<SaveId>): Promise<Made> {
    try {
      const streaming = [...this.#engine.saves.values()].filter(
        (save) => save.record.streaming && this.#isSentAhead(save),
      );
      const made = await this.#relieve(streaming, waiting);
      if (made.kind !== "nothing") return made;
      if (this.#isAlone(waiting)) return LATER;
      for (const save of this.#candidates(waiting)) {
        this.#begin(save);
        const more = await this.#relieve([save], waiting);
        if (more.kind !== "nothing") return more;
      }
      return NOTHING;
    } catch (error) {
      this.#engine.log.error({ err: error }, `Cannot make room in the spill: ${describe(error)}`);
      return NOTHING;
    }
  }

  /** What streaming files can give, the cheapest first. */
  async #relieve(streaming: readonly Save[], waiting: ReadonlySet<SaveId>): Promise<Made> {
    if (await this.#evict(streaming, waiting, "tail")) return ROOM;
    if (streaming.some(({ record }) => this.#engine.backlog.has(record.id))) return LATER;
    if (await this.#evict(streaming, waiting, "nothing")) return ROOM;
    const one = streaming.find((save) => waiting.has(save.record.id) && hasGivenAll(save));
    if (one === undefined) return NOTHING;
    if (this.#isAlone(waiting)) return LATER;
    const save = one.record.id;
    this.#alone = { save, at: this.#engine.clock.monotonic() };
    return { kind: "one", save };
  }

  /** Somebody has begun a part above the limit, and is at it. */
  #isAlone(waiting: ReadonlySet<SaveId>): boolean {
    if (this.#alone === undefined) return false;
    const { save, at } = this.#alone;
    const isOpen = this.#engine.saves.get(save)?.record.state.kind === "open";
    const isAtIt = isOpen && !waiting.has(save);
    return isAtIt && this.#engine.clock.monotonic() - at < ALONE_MS;
  }

  /** Who may become streaming and has something to give, or would go on alone: who waits first, then by size. */
  #candidates(waiting: ReadonlySet<SaveId>): Save[] {
    const waits = (save: Save): boolean => waiting.has(save.record.id);
    return [...this.#engine.saves.values()]
      .filter((save) => !save.record.streaming && this.#mayStream(save))
      .filter(
        (save) =>
          waits(save) ||
          this.#engine.backlog.has(save.record.id) ||
          this.#evictable(save, false, "nothing").length > 0,
      )
      .sort((a, b) => Number(waits(b)) - Number(waits(a)) || b.content.size - a.content.size);
  }

  #mayStream(save: Save): boolean {
    const { held, fsynced } = save.record;
    return (
      this.#isSentAhead(save) &&
      held === undefined &&
      !fsynced &&
      !save.content.isInMemory &&
      save.content.isInOrder
    );
  }

  /** Its parts go to the store while it is written. */
  #isSentAhead(save: Save): boolean {
    const slot = this.#engine.slots.get(save.record.key);
    return save.record.state.kind === "open" && slot?.open === save && slot.mayRunAhead;
  }

  #begin(save: Save): void {
    save.record = { ...save.record, streaming: true };
    const { key, id } = save.record;
    this.#engine.log.warn(
      { key, save: id, size: save.content.size },
      `${key} is larger than the spill has room for: what the store has of it is not kept here from now on, and until its close it cannot be read back, changed or renamed; see '--spill-limit'`,
    );
  }

  /** @returns whether anything was freed. */
  async #evict(
    saves: readonly Save[],
    waiting: ReadonlySet<SaveId>,
    keeping: Keeping,
  ): Promise<boolean> {
    let hasFreed = false;
    for (const save of saves) {
      const parts = this.#evictable(save, waiting.has(save.record.id), keeping);
      if (parts.length > 0 && (await this.#evictParts(save, parts))) hasFreed = true;
    }
    return hasFreed;
  }

  #evictable(save: Save, waits: boolean, keeping: Keeping): PartNumber[] {
    const { content } = save;
    const upload = this.#engine.slots.get(save.record.key)?.upload;
    const { lastWritten } = content;
    if (upload === undefined || lastWritten === undefined) return [];
    // The part that it waits for is the last one.
    const last = waits ? lastWritten + 1 : lastWritten;
    const end = keeping === "tail" ? last - 2 : lastWritten;
    const parts: PartNumber[] = [];
    for (let n = 2; n <= end; n += 1) {
      const partNumber = toPartNumber(n);
      const part = content.part(partNumber);
      if (part.kind !== "sealed" || part.at === "evicted" || upload.attempts.has(partNumber))
        continue;
      const isFull = part.size === partOfNumber(this.#engine.plan, partNumber).size;
      if (isFull && isHeld(save, upload, partNumber)) parts.push(partNumber);
    }
    return parts;
  }

  /** The records first, with every acknowledgement so far, so that no crash finds a part neither here nor there. */
  async #evictParts(save: Save, candidates: readonly PartNumber[]): Promise<boolean> {
    const { content } = save;
    const parts = candidates.filter((partNumber) => content.eviction.evict(partNumber));
    if (parts.length === 0) return false;
    try {
      save.record = { ...save.record, size: content.size };
      await this.#engine.catalog.apply(
        [
          { put: "save", record: save.record },
          ...parts.flatMap((partNumber) => partChange(save, partNumber)),
        ],
        { sync: true },
      );
    } catch (error) {
      for (const partNumber of parts) content.eviction.unevict(partNumber);
      throw error;
    }
    step("save.streaming");
    for (const partNumber of parts) {
      await content.eviction.removeEvicted(partNumber);
      step("part.evicted");
    }
    return true;
  }
}

/** Of all that was written it has part 1 only. */
function hasGivenAll({ content }: Save): boolean {
  return content.partNumbers().every((partNumber) => {
    const part = content.part(partNumber);
    const isElsewhere = part.kind === "sealed" && part.at === "evicted";
    return partNumber === 1 || isElsewhere || part.kind === "hole" || part.kind === "base";
  });
}
