// Makes one closed save visible: all its parts, then one request, then a look that it is there. Idempotent: after a crash
// it is simply run again.

import { anySignal, codeOf, describe, invariant, KodomountError, step } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import {
  judge,
  type Key,
  type SaveEvent,
  type Sha256,
  toMetadata,
  toPartNumber,
} from "../model/mod.ts";
import type { ObjectHead } from "../store/mod.ts";
import { keptObject } from "./change-attributes.ts";
import { committedObject } from "./committed-object.ts";
import { type Engine, LOOK_AFTER_MS, type ObjectChange } from "./engine.ts";
import { isHeld, isOf, orderOf, seen, tokensOf } from "./evidence.ts";
import { directoryOf } from "./order.ts";
import type { Save } from "./save.ts";
import { dropChanges, rebased } from "./save-records.ts";
import type { Slot } from "./slot.ts";
import { isWorthKeeping, SHA256_OF_NOTHING, sealSmall } from "./small-save.ts";
import { classOfNew } from "./storage-class.ts";
import type { Transfer } from "./transfer.ts";
import { untilTurn } from "./until-free.ts";
import type { Upload } from "./upload.ts";

/** How often, and how long apart, HEAD is asked for an object that Complete has just made. */
const VERIFY_TRIES = 6;
const VERIFY_PAUSE_MS = 500;

export class Publication {
  readonly #engine: Engine;
  readonly #transfer: Transfer;

  constructor(engine: Engine, transfer: Transfer) {
    this.#engine = engine;
    this.#transfer = transfer;
  }

  /**
   * One attempt to publish `slot.closed`. Returns when it is committed, or when the driver should look again.
   * @throws what is refused for good (the driver parks the save), `Interrupted` when it is superseded or the mount stops.
   */
  async run(slot: Slot, save: Save): Promise<void> {
    const signal = anySignal(save.abandon.signal, this.#engine.stop);
    if (await this.#lookFirst(slot, save, signal)) return;
    // What its request has not published is superseded by what was closed meanwhile.
    if (slot.next !== undefined) return;
    if (save.content.partCount <= 1) await this.#putWhole(slot, save, signal);
    else await this.#completeParts(slot, save, signal);
  }

  /** For what was loaded at start or has waited long: is it published already, or has somebody else written there? */
  async #lookFirst(slot: Slot, save: Save, signal: AbortSignal): Promise<boolean> {
    const { state, base } = save.record;
    invariant(
      state.kind === "closed" || state.kind === "completing",
      `a ${state.kind} save is not published`,
    );
    const late = this.#engine.clock.now() - state.closedAt > LOOK_AFTER_MS;
    if (!slot.look && !late && state.kind !== "completing") return false;
    const head = await this.#engine.store.head(slot.key, signal);
    // A record may be older than what it led to: after a loss of power `closed` may mean completed long ago.
    const tokens = tokensOf(save.record, slot.upload === undefined ? [] : [slot.upload.record]);
    const expected = { tokens, size: state.size };
    const known = await this.#engine.catalog.findObject(slot.key);
    const verdict = judge(seen(head), expected, base, known?.etag);
    if (verdict === "ours" && head !== undefined) {
      await this.#commit(slot, save, head);
      return true;
    }
    if (await this.#wasCommittedBefore(slot, save, head)) return true;
    if (verdict === "conflict")
      throw new KodomountError(
        "Conflict",
        `Another client has written ${slot.key} since this save was begun: see 'kodomount uploads'`,
      );
    if (state.kind === "completing") await this.#move(save, { kind: "settle" });
    slot.look = false;
    return false;
  }

  /**
   * The spill is freed only after a commit: a record whose spill is gone was rolled back by a loss of power after its
   * save had been committed, and something newer of ours has taken its place.
   */
  async #wasCommittedBefore(
    slot: Slot,
    save: Save,
    head: ObjectHead | undefined,
  ): Promise<boolean> {
    const { content } = save;
    const isOfSpill = content.partNumbers().some((n) => "rev" in content.part(n));
    if (head === undefined || !isOfSpill || content.isInMemory) return false;
    if ((await this.#engine.spill.listParts(save.record.id)).length > 0) return false;
    const { log } = this.#engine;
    log.warn({ save: save.record.id }, `${slot.key} was committed before a crash: dropped`);
    await this.#remove(slot, save, []);
    return true;
  }

  /** Up to one part: one PutObject, which is atomic. */
  async #putWhole(slot: Slot, save: Save, signal: AbortSignal): Promise<void> {
    const { state } = save.record;
    if ("closedAt" in state) await this.#engine.pace.turn(slot.key, state, signal);
    assertStillThere(slot, save);
    const sha256 = await this.#sealWhole(save, signal);
    if (sha256 === undefined) return;
    assertStillThere(slot, save);
    await untilTurn(this.#engine, slot.key, orderOf(save), signal);
    assertStillThere(slot, save);
    const token = save.record.id;
    // Not for the catalog: after a restart HEAD is asked before anything is sent again, also for what is only closed.
    save.record = save.after({ kind: "complete", token });
    step("save.completing");
    const only = save.content.part(toPartNumber(1));
    const bytes = save.content.bytesOf(toPartNumber(1));
    const path =
      "rev" in only && save.content.size > 0 && bytes === undefined
        ? save.content.pathOf(toPartNumber(1), only.rev)
        : undefined;
    const { attributes } = save.record;
    const metadata = toMetadata(attributes, token);
    const storageClass = classOfNew(this.#engine, slot.key, attributes.mode);
    const { etag } = await this.#engine.sender.put(
      {
        key: slot.key,
        path,
        bytes,
        size: save.content.size,
        sha256,
        metadata,
        storageClass,
      },
      orderOf(save),
      this.#engine.stop,
    );
    step("complete.sent");
    await this.#commit(slot, save, { etag, metadata, storageClass });
  }

  async #sealWhole(save: Save, signal: AbortSignal): Promise<Sha256 | undefined> {
    if (save.content.size === 0) return SHA256_OF_NOTHING;
    const only = toPartNumber(1);
    if (save.content.part(only).kind === "base")
      await save.content.materialize(only, { promised: true, signal });
    const bytes = save.content.bytesOf(only);
    if (bytes === undefined) return (await this.#transfer.seal(save, only, signal))?.sha256;
    return sealSmall(save.content, only, bytes);
  }

  /** All parts. The first one, which goes last as long as the file may still change, begins as soon as a lane is free. */
  async sendAll(slot: Slot, save: Save, signal: AbortSignal): Promise<void> {
    await save.content.useSpill();
    const [first, ...rest] = save.content.partNumbers();
    invariant(first !== undefined && rest.length > 0, "a multipart save has parts");
    await Promise.all(
      [...rest, first].map((partNumber) => this.#transfer.ensure(slot, save, partNumber, signal)),
    );
  }

  async #completeParts(slot: Slot, save: Save, signal: AbortSignal): Promise<void> {
    await this.sendAll(slot, save, signal);
    const { upload } = slot;
    if (upload === undefined || !(await this.#agrees(slot, save, upload, signal))) return;
    assertStillThere(slot, save);
    this.#engine.pace.hurry(orderOf(save));
    await untilTurn(this.#engine, slot.key, orderOf(save), signal);
    if (!(await this.#sourceIsUnchanged(slot, save, upload, signal))) return;
    assertStillThere(slot, save);
    // Synced: after a loss of power the token must be known by which the object is told to be ours.
    await this.#move(save, { kind: "complete", token: upload.record.token }, { sync: true });
    step("save.completing");
    await this.#complete(slot, save, upload);
  }

  /** Whether everything is acknowledged as it is sealed, and, in doubt, the store says so too. */
  async #agrees(slot: Slot, save: Save, upload: Upload, signal: AbortSignal): Promise<boolean> {
    if (upload.attempts.size > 0) {
      await Promise.all([...upload.attempts.values()].map((attempt) => attempt.done));
      return false;
    }
    if (!save.content.partNumbers().every((partNumber) => isHeld(save, upload, partNumber)))
      return false;
    if (!upload.record.doubt) return true;
    const listed = await this.#transfer.listParts(slot, upload, signal);
    if (listed === undefined) return false;
    const wrong = save.content.partNumbers().filter((partNumber) => {
      const ack = upload.acks.get(partNumber);
      const held = listed.get(partNumber);
      return held?.etag !== ack?.etag || held?.size !== ack?.size;
    });
    for (const partNumber of wrong) upload.acks.delete(partNumber);
    const { uploadId } = upload.record;
    const changes = wrong.map((partNumber): Change => ({ del: "ack", uploadId, partNumber }));
    if (wrong.length === 0) {
      upload.record = { ...upload.record, doubt: false };
      changes.push({ put: "upload", record: upload.record });
    }
    await this.#engine.catalog.apply(changes, { sync: false });
    return wrong.length === 0;
  }

  /** Parts that were copied are only right if the object they came from was the same all the time. */
  async #sourceIsUnchanged(
    slot: Slot,
    save: Save,
    upload: Upload,
    signal: AbortSignal,
  ): Promise<boolean> {
    const changed = await this.#changedSource(upload, signal);
    if (changed === undefined) return true;
    await this.#transfer.forget(slot, upload, { abort: true });
    const needed = save.content
      .partNumbers()
      .some((partNumber) => save.content.part(partNumber).kind === "base");
    if (needed)
      throw new KodomountError(
        "Conflict",
        `Another client has changed ${changed} while it was being modified or copied here: see 'kodomount uploads'`,
      );
    return false;
  }

  async #changedSource(upload: Upload, signal: AbortSignal): Promise<Key | undefined> {
    for (const [key, etag] of upload.copiedFrom)
      if ((await this.#engine.store.head(key, signal))?.etag !== etag) return key;
    return undefined;
  }

  async #complete(slot: Slot, save: Save, upload: Upload): Promise<void> {
    const { store, stop } = this.#engine;
    const parts = save.content.partNumbers().map((partNumber) => {
      const ack = upload.acks.get(partNumber);
      invariant(ack !== undefined, `part ${partNumber} is acknowledged`);
      return { partNumber, etag: ack.etag };
    });
    let failure: unknown;
    try {
      await store.complete({ key: slot.key, uploadId: upload.record.uploadId, parts }, stop);
      step("complete.sent");
    } catch (error) {
      failure = error;
      slot.lastError = describe(error);
    }
    if (stop.aborted) throw new KodomountError("Interrupted", "The mount is stopping");
    const head = await this.#verify(slot, save, upload, failure === undefined);
    if (head !== undefined && isOf(head, save, upload)) return this.#commit(slot, save, head);
    if (failure === undefined && head !== undefined && (await this.#isForeign(slot, save, head))) {
      this.#engine.log.warn(
        { key: slot.key },
        `${slot.key} was published, and overwritten by another client right after`,
      );
      return this.#remove(slot, save, [{ del: "object", key: slot.key }]);
    }
    await this.#afterFailedComplete(slot, save, upload, failure);
  }

  /** What HEAD says. After a success it is asked several times until it shows what was made: some stores lag. */
  async #verify(
    slot: Slot,
    save: Save,
    upload: Upload,
    expected: boolean,
  ): Promise<ObjectHead | undefined> {
    const { store, clock, stop } = this.#engine;
    for (let tries = expected ? VERIFY_TRIES : 1; ; tries -= 1) {
      const head = await store.head(slot.key, stop);
      step("object.verified");
      if (tries <= 1 || (head !== undefined && isOf(head, save, upload))) return head;
      await clock.sleep(VERIFY_PAUSE_MS, stop);
    }
  }

  async #isForeign(slot: Slot, save: Save, head: ObjectHead): Promise<boolean> {
    const known = await this.#engine.catalog.findObject(slot.key);
    return judge(seen(head), { tokens: [], size: 0 }, save.record.base, known?.etag) === "conflict";
  }

  async #afterFailedComplete(
    slot: Slot,
    save: Save,
    upload: Upload,
    failure: unknown,
  ): Promise<void> {
    const code = failure === undefined ? undefined : codeOf(failure);
    if (failure !== undefined)
      this.#engine.log.warn(
        { key: slot.key, err: failure },
        `Complete of ${slot.key} failed: ${describe(failure)}`,
      );
    // Its outcome is known to be "not visible", unless somebody else has written since: the next run looks.
    slot.look = true;
    await this.#move(save, { kind: "settle" });
    if (code === undefined || code === "NoSuchUpload")
      return this.#transfer.forget(slot, upload, { abort: false });
    if (code === "BadPart") return this.#afterBadPart(slot, save, upload, failure);
    if (failure instanceof KodomountError && failure.retryable) return this.#transfer.doubt(upload);
    throw failure;
  }

  /**
   * First ListParts must tell what the store has. If it agrees, the upload itself is refused: some stores take none that
   * has parts of a longer save left over. Then everything is sent to a new one, once.
   */
  async #afterBadPart(slot: Slot, save: Save, upload: Upload, failure: unknown): Promise<void> {
    upload.badCompletes += 1;
    if (upload.badCompletes === 1) return this.#transfer.doubt(upload);
    save.refusedUploads += 1;
    if (save.refusedUploads > 1 || save.content.isEvicted) throw failure;
    return this.#transfer.forget(slot, upload, { abort: true });
  }

  async #commit(
    slot: Slot,
    save: Save,
    { etag, metadata, storageClass }: Pick<ObjectHead, "etag" | "metadata" | "storageClass">,
  ): Promise<void> {
    const object = committedObject(this.#engine, slot, save, etag);
    save.made = object;
    const changes = keptObject(this.#engine, object, metadata);
    for (const later of [slot.next, slot.open]) {
      if (later === undefined) continue;
      // It was begun on top of this save: its untouched ranges are this object's.
      const base = { kind: "object", etag, size: object.size } as const;
      later.record = rebased(later.record, save.record, base);
      this.#engine.needs.add(later);
      changes.push({ put: "save", record: later.record });
    }
    await this.#remove(slot, save, changes, { ...object, storageClass });
    this.#engine.pace.published(slot.key);
  }

  /** The save is done with: its record, its upload and its spill go, those who wait are told. */
  async #remove(
    slot: Slot,
    save: Save,
    changes: Change[],
    made?: Exclude<ObjectChange, string>,
  ): Promise<void> {
    const { catalog, saves, background, order, keep, onObjectChanged } = this.#engine;
    const { id } = save.record;
    const { upload } = slot;
    const completed = "token" in save.record.state ? save.record.state.token : undefined;
    changes.push(...dropChanges(save));
    if (upload !== undefined) {
      slot.upload = undefined;
      const ending = [...upload.attempts.values()].map(({ done }) => done);
      if (upload.record.token !== completed)
        this.#engine.aborts.add(slot.key, upload.record.uploadId, ending);
      const { key, uploadId, token } = upload.record;
      changes.push({ del: "upload", key, uploadId });
      if (token !== completed) changes.push({ put: "abort", key, uploadId });
    }
    const isKept = made !== undefined && isWorthKeeping(save);
    // What lies in the spill longer than its record must not meet an older record again after a loss of power.
    await catalog.apply(changes, { sync: isKept }).catch((error: unknown) => {
      slot.upload ??= upload; // its records are still there: they go with the next try
      throw error;
    });
    step("save.committed");
    const place = orderOf(save);
    saves.delete(id);
    this.#engine.needs.remove(save);
    if (slot.closed === save) slot.closed = undefined;
    // What was loaded at start behind it has not been compared with the bucket yet.
    slot.look = slot.look && slot.next !== undefined;
    slot.lastError = undefined;
    onObjectChanged(slot.key, made ?? "unknown");
    order.leave(place, directoryOf(slot.key));
    slot.changed.notify();
    if (isKept) keep.add(slot.key, made.etag, save.content);
    else background.run(`freeing the spill of ${id}`, () => save.content.free());
  }

  async #move(save: Save, event: SaveEvent, options = { sync: false }): Promise<void> {
    save.record = save.after(event);
    await this.#engine.catalog.apply([{ put: "save", record: save.record }], options);
  }
}

/** A rename may have moved it to another key, a removal dropped it, while it waited for its turn. */
function assertStillThere(slot: Slot, save: Save): void {
  if (slot.closed !== save)
    throw new KodomountError("Interrupted", `${slot.key} is not what is to be published any more`);
}
