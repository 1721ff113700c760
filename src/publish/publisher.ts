// The door to the publishing engine, for the filesystem: begin a save, close it, wait for it, move and remove what is
// pending. Everything that is promised is in the catalog before a method returns.

import { invariant, step } from "../base/mod.ts";
import type { Change, ObjectRecord, ReplyRecord } from "../catalog/mod.ts";
import {
  type Attributes,
  type Base,
  type Held,
  type Ino,
  type Key,
  nameOf,
  type SaveId,
  type SaveRecord,
  type Source,
} from "../model/mod.ts";
import {
  changeAttributes,
  changeCopyAttributes,
  changeObjectAttributes,
} from "./change-attributes.ts";
import { closeSave } from "./close-save.ts";
import { Driver } from "./driver.ts";
import { dropInterrupted, dropSave, forgetLater } from "./drop-save.ts";
import type { Engine } from "./engine.ts";
import { holdSave, letExpire } from "./hold-save.ts";
import { interruptSave } from "./interrupt-save.ts";
import { enterNameless } from "./nameless.ts";
import { type Move, Namespace } from "./namespace.ts";
import { copyFrom } from "./needs.ts";
import { newRecord, newSave, type Origin, underneath } from "./new-save.ts";
import { act, type OperatorOrder } from "./operator.ts";
import { refuseSave } from "./refuse-save.ts";
import type { Save } from "./save.ts";
import { dropChanges, partChanges, sizeChanges } from "./save-records.ts";
import type { CopyWant, Slot } from "./slot.ts";
import { listPending, type Pending } from "./status.ts";
import { published, withinLag } from "./waits.ts";

export interface CloseOptions {
  /** Must survive a loss of power when this returns. */
  readonly durable: boolean;
  /** Recorded in the same batch: what a repeated request is answered with. */
  readonly reply?: ReplyRecord | undefined;
}

export class Publisher {
  readonly #engine: Engine;
  readonly #driver: Driver;
  readonly #namespace: Namespace;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#driver = new Driver(engine);
    this.#namespace = new Namespace(engine);
  }

  /** What is pending at `key`. */
  find(key: Key): Slot | undefined {
    return this.#engine.slots.get(key);
  }

  /** Everything that is pending at a directory's key and below it. */
  below(directory: Key): Iterable<Slot> {
    return this.#engine.slots.below(directory);
  }

  /** Bytes that a file may have: more is `TooLarge`. */
  get plan(): Engine["plan"] {
    return this.#engine.plan;
  }

  /**
   * A new open save at `key`. An interrupted one of the same key is dropped, its upload is taken over.
   * @returns undefined when `origin` has been committed, or is becoming another version: look again.
   */
  async begin(request: {
    key: Key;
    ino: Ino;
    attributes: Attributes;
    origin: Origin;
    /** The file was just created as a private one: with O_EXCL, for reading and writing, mode 0600. */
    madePrivate?: boolean;
    /** What the file will have, by its name after the rename, for an upload that begins before it is set. */
    foresee?: (name: string) => Promise<Attributes | undefined>;
    reply?: ReplyRecord;
  }): Promise<Save | undefined> {
    const { key, ino, attributes, origin, madePrivate, foresee, reply } = request;
    const slot = this.slotOf(key);
    const held = this.#heldAt(slot, madePrivate);
    invariant(slot.open === undefined, `only one open save at ${key}`);
    if (slot.isCopying && origin.kind === "object") return undefined;
    const record = newRecord({ key, ino, attributes, ...underneath(origin), held });
    const save = this.#newSave(record);
    if (held?.final !== undefined && foresee !== undefined)
      save.foreseen = foresee(nameOf(held.final));
    save.isReady = origin.kind === "empty";
    slot.open = save;
    this.#engine.saves.set(record.id, save);
    try {
      const started = await this.#start(slot, save, origin, reply);
      save.isReady = true;
      if (!started) await this.discard(save);
      else {
        this.#engine.needs.add(save);
        this.slotOf(save.record.key).changed.notify();
      }
      return started ? save : undefined;
    } catch (error) {
      await this.discard(save);
      throw error;
    }
  }

  /** Orderly closed: from now on the save must be published or parked. See `closeSave`. */
  async close(save: Save, options: CloseOptions): Promise<void> {
    const { key } = save.record;
    try {
      await closeSave(this.#engine, save, options);
    } finally {
      this.#wakeAll(this.slotOf(key));
    }
  }

  /** The close of a file under a held name: it waits for its rename. */
  async hold(save: Save, options: CloseOptions): Promise<void> {
    await holdSave(this.#engine, save, options);
    this.#wakeAll(this.slotOf(save.record.key));
  }

  /** See `Driver.sendHeld`. */
  async sendHeld(save: Save, signal: AbortSignal): Promise<boolean> {
    await save.content.freezeAll();
    return this.#driver.sendHeld(save, signal);
  }

  /** Without a rename for a while after its last use it is interrupted. */
  letExpire(held: Save, isUsed: () => boolean): void {
    letExpire(this.#engine, held, { isUsed, end: () => this.interrupt(held) });
  }

  /** The next bytes of an open save, up to `end`, are those of another object, which is needed until they are copied. */
  copyFrom(save: Save, source: Source, end: number): Promise<void> {
    return copyFrom(this.#engine, save, source, end);
  }

  /** The store or the disk refused something: never published by itself, the next call on the file says why. */
  refuse(save: Save, error: unknown): Promise<void> {
    return refuseSave(this.#engine, save, error);
  }

  /** What was written so far survives a loss of power; nobody is promised that it is published. */
  async sync(save: Save): Promise<void> {
    await save.content.sync();
    save.record = { ...save.record, size: save.content.size };
    if (save.isNameless) return;
    await this.#engine.catalog.apply([{ put: "save", record: save.record }, ...partChanges(save)], {
      sync: true,
    });
  }

  /** Its size was set, or a range of it made a hole: noted, as what is written is by its file. */
  async resized(save: Save): Promise<void> {
    await this.#engine.catalog.apply(sizeChanges(save), { sync: false });
  }

  /** An fsync of its writer was answered: its content is closed as it is then, even if the writer is killed later. */
  async fsync(save: Save): Promise<void> {
    save.record = { ...save.record, fsynced: true };
    await this.sync(save);
  }

  /** See `published`. */
  published(closed: Save, signal?: AbortSignal): Promise<void> {
    return published(this.#engine, closed, signal);
  }

  /** See `withinLag`. */
  withinLag(save: Save, signal: AbortSignal): Promise<void> {
    return withinLag(this.#engine, save, signal);
  }

  /** Its writer died: kept, hidden, not published by itself. */
  async interrupt(save: Save): Promise<void> {
    for (const slot of await interruptSave(this.#engine, save)) this.#wakeAll(slot);
  }

  /** Nothing of it is wanted. An upload that has parts of it stays with the key. */
  async discard(save: Save): Promise<void> {
    const slot = this.find(save.record.key);
    if (slot?.open === save) slot.open = undefined;
    if (slot?.closed === save) slot.closed = undefined;
    if (slot?.next === save) slot.next = undefined;
    if (slot?.interrupted === save) slot.interrupted = undefined;
    try {
      await this.#engine.catalog.apply(dropChanges(save), { sync: false });
    } catch (error) {
      forgetLater(this.#engine, save);
      throw error;
    } finally {
      dropSave(this.#engine, save);
      if (slot !== undefined) this.#wakeAll(slot);
    }
  }

  /** See `changeAttributes`. */
  changeAttributes(save: Save, change: (before: Attributes) => Attributes): Promise<boolean> {
    return changeAttributes(this.#engine, save, change);
  }

  /** See `changeObjectAttributes`. */
  async changeObjectAttributes(record: ObjectRecord): Promise<void> {
    const slot = await changeObjectAttributes(this.#engine, record);
    if (slot !== undefined) this.#driver.wake(slot);
  }

  /** See `Namespace.rename`. */
  rename(moves: readonly Move[]): Promise<Change[] | undefined> {
    return this.#namespace.rename(moves);
  }

  /** See `Namespace.freeze`. */
  freeze(directory: Key): Promise<Disposable> {
    return this.#namespace.freeze(directory);
  }

  /** See `Namespace.remove`. */
  remove(key: Key, found: Parameters<Namespace["remove"]>[1]): Promise<Change[] | undefined> {
    return this.#namespace.remove(key, found);
  }

  /** New attributes of an object whose renaming is under way. @returns false when `want` is not wanted any more. */
  async changeCopyAttributes(slot: Slot, want: CopyWant, attributes: Attributes): Promise<boolean> {
    if (!(await changeCopyAttributes(this.#engine, slot, want, attributes))) return false;
    this.#driver.wake(slot);
    return true;
  }

  /** Makes changes of the namespace durable, then lets the drivers act on them. */
  async journal(changes: Change[], keys: readonly Key[], reply?: ReplyRecord): Promise<void> {
    if (reply !== undefined) changes.push({ put: "reply", record: reply });
    try {
      await this.#engine.catalog.apply(changes, { sync: true });
      step("namespace.journalled");
    } finally {
      // Also when there is no room for it: what it has changed here must not be left to nobody.
      this.#driver.wakeKeys(keys);
    }
  }

  /** The operator's orders for what is kept: see `act`. */
  act(order: OperatorOrder, save: Save): Promise<void> {
    return act(this.#engine, this, order, save);
  }

  /** Somebody waits for all that was closed so far: nothing of it is held back to be superseded. */
  hurry(): void {
    this.#driver.hurry();
  }

  /** Everything that is pending, for status. */
  pending(): Pending[] {
    return listPending(this.#engine);
  }

  /** The save with that id, pending or interrupted. */
  findSave(id: SaveId): Save | undefined {
    return this.#engine.saves.get(id);
  }

  /** Something at the key may need doing. */
  wake(slot: Slot): void {
    this.#driver.wake(slot);
  }

  /** Content that is entered nowhere, of what the bucket has: for who has it open when its name goes. */
  async beginNameless(request: {
    key: Key;
    ino: Ino;
    attributes: Attributes;
    base: Base;
  }): Promise<Save> {
    const { base } = request;
    const save = this.#newSave(newRecord(request));
    if (base.kind === "object") await save.content.startFromBase(base.size);
    save.isNameless = true;
    return save;
  }

  /** Nameless content gets a name: from now on it is an open save like any other. Nothing is pending at `key`. */
  async enter(save: Save, key: Key, reply: ReplyRecord): Promise<void> {
    const slot = this.slotOf(key);
    if (slot.interrupted !== undefined) await this.discard(slot.interrupted);
    if (slot.upload !== undefined) await this.#driver.transfer.doubt(slot.upload);
    await this.journal(enterNameless(this.#engine, save, slot), [key], reply);
  }

  /** A save with its content, not entered anywhere: for recovery. */
  restore(record: SaveRecord): Save {
    const save = this.#newSave(record);
    this.#engine.saves.set(record.id, save);
    return save;
  }

  slotOf(key: Key): Slot {
    return this.#engine.slots.of(key);
  }

  #newSave(record: SaveRecord): Save {
    return newSave(this.#engine, record, (slot) => this.#driver.wake(slot));
  }

  async #start(
    slot: Slot,
    save: Save,
    origin: Origin,
    reply: ReplyRecord | undefined,
  ): Promise<boolean> {
    const { record, content } = save;
    // Of a held name: what an interrupted one left under the name that this one will get.
    const left = this.find(save.uploadKey) ?? slot;
    const changes: Change[] = [{ put: "save", record }, ...dropInterrupted(this.#engine, left)];
    if (left.upload !== undefined) await this.#driver.transfer.doubt(left.upload);
    if (reply !== undefined) changes.push({ put: "reply", record: reply });
    await this.#engine.catalog.apply(changes, { sync: false });
    step("save.created");
    save.isModification = origin.kind !== "empty";
    if (origin.kind === "object") {
      const kept = this.#engine.keep.find(record.key, origin.etag);
      const isKept = kept !== undefined && (await content.startFrom(kept));
      if (isKept) this.#engine.keep.drop(record.key);
      else await content.startFromBase(origin.size);
      const parts = partChanges(save);
      await this.#engine.catalog.apply([...sizeChanges(save), ...parts], { sync: false });
    }
    if (origin.kind !== "save") return true;
    if (!(await content.startFrom(origin.save.content))) return false;
    // Its files tell the rest of it.
    if (content.partCount > 1) await this.#engine.catalog.apply(partChanges(save), { sync: false });
    return true;
  }

  /** What was closed under a held name is not superseded by what is held: it was promised to be published. */
  #heldAt({ key, closed }: Slot, madePrivate: boolean | undefined): Held | undefined {
    if (closed === undefined) return this.#engine.held.find(key, madePrivate);
    return closed.record.state.kind === "held" ? closed.record.held : undefined;
  }

  /** Also those who wait for what happened at this key. */
  #wakeAll(slot: Slot): void {
    slot.changed.notify();
    this.#driver.wake(slot);
  }
}
