// One driver per key, level-triggered: it looks at what the slot wants, does one step of it, and looks again. Crash
// recovery is: load the records, wake the drivers.

import { anySignal, codeOf, describe, ignoreInterrupted, KodomountError } from "../base/mod.ts";
import { type Key, type PartNumber, toPartNumber, type Want } from "../model/mod.ts";
import { dropSave } from "./drop-save.ts";
import type { Engine } from "./engine.ts";
import { orderOf } from "./evidence.ts";
import { directoryOf } from "./order.ts";
import { AttributeCopies } from "./persist-attributes.ts";
import { Publication } from "./publication.ts";
import { refuseSave } from "./refuse-save.ts";
import type { Save } from "./save.ts";
import { dropChanges } from "./save-records.ts";
import type { Slot } from "./slot.ts";
import { Transfer } from "./transfer.ts";
import { takeUploadSlot } from "./upload-slot.ts";
import { describeWant, Wants } from "./wants.ts";

const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 10_000;
/** Slots that are woken in one go. */
const WAKE_COUNT = 100;

export class Driver {
  readonly #engine: Engine;
  readonly #transfer: Transfer;
  readonly #publication: Publication;
  readonly #wants: Wants;
  readonly #attributes: AttributeCopies;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#transfer = new Transfer(engine);
    this.#publication = new Publication(engine, this.#transfer);
    this.#wants = new Wants(engine);
    this.#attributes = new AttributeCopies(engine, (slot) => this.wake(slot));
  }

  /** Somebody waits for what is pending. */
  hurry(): void {
    this.#engine.pace.hurry(this.#engine.order.last);
    this.#attributes.hurry();
  }

  get transfer(): Transfer {
    return this.#transfer;
  }

  /**
   * Sends all parts of a save under a held name to where it will be renamed, so that its rename costs one request.
   * @returns whether the store has them all: false when there is nothing to send them to yet.
   * @throws what the store refuses for good; `Interrupted`.
   */
  async sendHeld(save: Save, signal: AbortSignal): Promise<boolean> {
    const slot = save.content.partCount > 1 ? takeUploadSlot(this.#engine, save) : undefined;
    if (slot === undefined) return false;
    await this.#publication.sendAll(slot, save, anySignal(signal, this.#engine.stop));
    return true;
  }

  /** Something at the key has changed: see that somebody acts on it. */
  wake(slot: Slot): void {
    slot.again = true;
    if (slot.driving || this.#engine.stop.aborted) return;
    slot.driving = true;
    this.#engine.background.run(`publishing ${slot.key}`, () => this.#drive(slot));
  }

  /** Something has changed at each of these keys. Thousands at once would hold up the reply, and everybody else. */
  wakeKeys(keys: readonly Key[]): void {
    for (const key of keys.slice(0, WAKE_COUNT)) {
      const slot = this.#engine.slots.get(key);
      slot?.changed.notify();
      if (slot !== undefined) this.wake(slot);
    }
    if (keys.length <= WAKE_COUNT) return;
    this.#engine.background.run("waking what was renamed", async () => {
      await this.#engine.clock.sleep(0);
      this.wakeKeys(keys.slice(WAKE_COUNT));
    });
  }

  async #drive(slot: Slot): Promise<void> {
    let pauseMs = PAUSE_MIN_MS;
    try {
      while (slot.again && !this.#engine.stop.aborted) {
        slot.again = false;
        const again = await this.#tryStep(slot);
        if (again === "pause") {
          await this.#engine.clock.sleep(pauseMs, this.#engine.stop).catch(ignoreInterrupted);
          pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
        } else pauseMs = PAUSE_MIN_MS;
        if (again !== "idle") slot.again = true;
      }
    } finally {
      slot.driving = false;
      slot.changed.notify();
      if (slot.isEmpty) this.#engine.slots.delete(slot);
    }
  }

  /** The catalog may be full, or its disk fail: what is owed stays owed, and is tried again when it can be written. */
  async #tryStep(slot: Slot): Promise<"idle" | "more" | "pause"> {
    try {
      return await this.#stepOf(slot);
    } catch (error) {
      slot.lastError = describe(error);
      this.#engine.log.error({ key: slot.key, err: error }, `${slot.key}: ${slot.lastError}`);
      return "pause";
    }
  }

  /** Does the next thing. `idle`: nothing to do until somebody wakes us; `pause`: try again a little later. */
  async #stepOf(slot: Slot): Promise<"idle" | "more" | "pause"> {
    await this.#promote(slot);
    const { closed, want, open } = slot;
    // Its close wakes us when it is written down, or has failed.
    if (closed?.isClosing === true) return "idle";
    const isHeld = closed?.record.state.kind === "held";
    if (closed !== undefined && !isHeld && closed.record.state.kind !== "parked")
      return this.#publish(slot, closed);
    if (want !== undefined && closed === undefined) {
      const next = await this.#makeTrue(slot, want);
      if (next !== "idle") return next;
    }
    if (open !== undefined && slot.mayRunAhead) this.#sendAhead(open);
    return "idle";
  }

  /** What was closed while a completing request was under way takes its turn; what that has not published is superseded. */
  async #promote(slot: Slot): Promise<void> {
    const { closed, next } = slot;
    if (next === undefined || closed?.record.state.kind === "completing") return;
    slot.closed = next;
    slot.next = undefined;
    if (closed === undefined) return slot.changed.notify();
    closed.supersededBy = next;
    await this.#engine.catalog.apply(dropChanges(closed), { sync: false });
    dropSave(this.#engine, closed);
    slot.changed.notify();
  }

  async #publish(slot: Slot, save: Save): Promise<"more" | "pause"> {
    try {
      await this.#publication.run(slot, save);
      return "more";
    } catch (error) {
      if (slot.closed !== save) return "more";
      // Not wanted any more, and whoever decided that is about to say what is: not in a loop that lets nobody run.
      if (codeOf(error) === "Interrupted") return "pause";
      slot.lastError = describe(error);
      if (error instanceof KodomountError && error.retryable) return "pause";
      // Of the local disk: room comes back, and nobody has to say so.
      if (codeOf(error) === "NoSpace") return "pause";
      await this.#park(slot, save, error);
      return "more";
    }
  }

  async #park(slot: Slot, save: Save, error: unknown): Promise<void> {
    const { catalog, order, log } = this.#engine;
    const place = orderOf(save);
    save.record = save.after({ kind: "park", why: codeOf(error) });
    await catalog.apply([{ put: "save", record: save.record }], { sync: true });
    log.error(
      { key: slot.key, save: save.record.id, err: error },
      `${slot.key} cannot be published and is kept: ${describe(error)}`,
    );
    order.leave(place, directoryOf(slot.key));
    slot.changed.notify();
  }

  async #makeTrue(slot: Slot, want: Want): Promise<"idle" | "more" | "pause"> {
    try {
      if (want.kind === "attributes") return await this.#attributes.run(slot, want);
      await this.#wants.run(slot, want);
      return "more";
    } catch (error) {
      if (codeOf(error) === "Interrupted") return "more";
      slot.lastError = describeWant(want, error);
      this.#engine.log.warn({ key: slot.key, err: error }, `${slot.key}: ${slot.lastError}`);
      return "pause";
    }
  }

  /** Parts of a file that is being written, as soon as they are sealed; part 1 and the last one wait for the close. */
  #sendAhead(save: Save): void {
    if (save.record.state.kind !== "open") return;
    const slot = takeUploadSlot(this.#engine, save);
    if (slot === undefined) return;
    for (const partNumber of partsToSend(save)) {
      const { size } = save.content.extent(partNumber);
      const onItsWay = this.#engine.backlog.begin(save.record.id, size);
      this.#engine.background.run(`part ${partNumber} of ${slot.key}`, async () => {
        try {
          await this.#sendPart(slot, save, partNumber);
        } finally {
          onItsWay[Symbol.dispose]();
          this.#engine.spill.changed();
        }
      });
    }
  }

  async #sendPart(slot: Slot, save: Save, partNumber: number): Promise<void> {
    const signal = anySignal(save.abandon.signal, this.#engine.stop);
    try {
      await this.#transfer.ensure(slot, save, toPartNumber(partNumber), signal);
    } catch (error) {
      if (codeOf(error) === "Interrupted" || save.record.state.kind !== "open") return;
      slot.lastError = describe(error);
      await refuseSave(this.#engine, save, error);
    }
  }
}

function partsToSend(save: Save): PartNumber[] {
  const { content } = save;
  const fresh = content.takeFrozen();
  if (!save.isMoved) return fresh;
  save.isMoved = false;
  const isComplete = (n: PartNumber): boolean =>
    ["frozen", "sealed"].includes(content.part(n).kind);
  return content.partNumbers().filter((n) => n > 1 && isComplete(n));
}
