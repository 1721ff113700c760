// Changes of names among what is pending: what is at one key shall be at another, or nowhere. Each returns the records
// that make it durable; `journal` writes them in one synced batch, and then the drivers act.

import { KodomountError } from "../base/mod.ts";
import type { Change, ObjectRecord } from "../catalog/mod.ts";
import {
  type Attributes,
  type Base,
  type Etag,
  type Key,
  parentKey,
  type SaveRecord,
  transition,
  type Want,
} from "../model/mod.ts";
import { dropSave } from "./drop-save.ts";
import type { Engine } from "./engine.ts";
import type { Keeper } from "./nameless.ts";
import { directoryOf } from "./order.ts";
import type { Save } from "./save.ts";
import { dropChanges } from "./save-records.ts";
import type { CopyWant, Slot } from "./slot.ts";
import { leaveUploadSlot } from "./upload-slot.ts";

/** How long a rename or removal waits for the one request that is under way at its key. */
const COMPLETING_WAIT_MS = 3000;

export class Namespace {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * What is at `from` shall be at `to`, and nothing at `from`. Pending content moves locally; an object is copied and
   * deleted by the store in the background. One synced batch.
   * @param request.pending what was found pending at `from`, if anything; `request.object` the object there, if there is
   *   one; `request.target` the one at `to`; `request.keeper` who has open what is at `to`.
   * @returns undefined when something else is pending at `from` by now: look again.
   */
  async rename(request: {
    from: Key;
    to: Key;
    object: { etag: Etag; size: number; attributes?: Attributes } | undefined;
    target: Etag | undefined;
    pending: Save | CopyWant | undefined;
    keeper?: Keeper | undefined;
  }): Promise<Change[] | undefined> {
    const { from, to, object, target, pending, keeper } = request;
    const home = await this.#engine.catalog.findObject(to);
    await this.#notCompleting(from, to);
    await this.#notCircular(from, to);
    const source = this.#engine.slots.of(from);
    const destination = this.#engine.slots.of(to);
    if (source.content !== pending || source.next || destination.next) return undefined;
    const wasCopy = source.want?.kind === "copy";
    const changes = this.#clear(destination, keeper);
    if (source.open !== undefined || source.closed !== undefined)
      changes.push(...this.#moveSaves(source, destination, target));
    else
      changes.push(
        ...this.#abandonUpload(destination),
        ...this.#moveObject(source, destination, object, home),
      );
    if (object !== undefined || wasCopy)
      changes.push(...this.#setWant(source, { kind: "absent", ...etagOf(object) }));
    return changes;
  }

  /** Nothing below `directory` becomes visible until it is disposed of; what was about to has done so, or not. */
  async freeze(directory: Key): Promise<Disposable> {
    const { freeze, slots } = this.#engine;
    const frozen = freeze.hold(directory);
    try {
      for (const { key } of [...slots.below(directory)]) await this.#notCompleting(key);
      return frozen;
    } catch (error) {
      frozen[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Nothing shall be at `key`.
   * @param found.object that is there, when there is one; its ETag, when it is known; `found.pending` what is pending;
   *   `found.keeper` who has it open.
   * @returns undefined when something else is pending by now: look again.
   */
  async remove(
    key: Key,
    found: {
      object: { etag?: Etag } | undefined;
      pending: Save | CopyWant | undefined;
      keeper?: Keeper | undefined;
    },
  ): Promise<Change[] | undefined> {
    const { object, pending, keeper } = found;
    await this.#notCompleting(key);
    const slot = this.#engine.slots.of(key);
    if (slot.content !== pending || slot.next) return undefined;
    const copied = slot.want?.kind === "copy";
    const changes = [...this.#clear(slot, keeper), ...this.#abandonUpload(slot)];
    if (slot.interrupted !== undefined) {
      changes.push(...dropChanges(slot.interrupted));
      dropSave(this.#engine, slot.interrupted);
      slot.interrupted = undefined;
    }
    if (object !== undefined || copied)
      changes.push(...this.#setWant(slot, { kind: "absent", ...etagOf(object) }));
    return changes;
  }

  /** What is pending at the key goes: closed content is dropped, an open file becomes nameless. Its upload stays. */
  #clear(slot: Slot, keeper: Keeper | undefined): Change[] {
    const { nameless } = this.#engine;
    const { open, closed } = slot;
    const changes: Change[] = [{ del: "want", key: slot.key }];
    for (const save of [open, closed]) if (save !== undefined) changes.push(...dropChanges(save));
    slot.open = undefined;
    slot.closed = undefined;
    if (open !== undefined) nameless.keep(open);
    else if (closed !== undefined) keeper?.take(nameless.adopt(closed));
    else if (keeper?.spare !== undefined) {
      nameless.keep(keeper.spare);
      keeper.take(keeper.spare);
    }
    if (closed !== undefined && (open !== undefined || keeper === undefined))
      dropSave(this.#engine, closed);
    if (slot.want?.kind === "copy")
      this.#engine.order.leave(slot.want.order, directoryOf(slot.key));
    slot.want = undefined;
    return changes;
  }

  #abandonUpload(slot: Slot): Change[] {
    const { upload } = slot;
    if (upload === undefined) return [];
    for (const attempt of upload.attempts.values()) attempt.abort.abort();
    slot.upload = undefined;
    const { key, uploadId } = upload.record;
    this.#engine.aborts.add(
      key,
      uploadId,
      [...upload.attempts.values()].map((attempt) => attempt.done),
    );
    return [
      { del: "upload", key, uploadId },
      { put: "abort", key, uploadId },
    ];
  }

  #setWant(slot: Slot, want: Want): Change[] {
    slot.want = want;
    return [{ put: "want", key: slot.key, want }];
  }

  /** Open and closed content goes along; its parts are in the spill and are sent to an upload of the new key. */
  #moveSaves(source: Slot, destination: Slot, target: Etag | undefined): Change[] {
    const changes = this.#abandonUpload(source);
    for (const which of ["open", "closed"] as const) {
      const save = source[which];
      if (save === undefined) continue;
      source[which] = undefined;
      const foretold = leaveUploadSlot(this.#engine, save);
      const moved = this.#moved(save, source.key, destination.key);
      const next = moved.held?.final ?? moved.key;
      // A wrong guess: what was sent there is of no use. A right one, but not there yet: it goes on.
      if (foretold?.key === next && moved.held !== undefined) foretold.guest = save;
      else if (foretold !== undefined && foretold !== destination && !foretold.interrupted)
        changes.push(...this.#abandonUpload(foretold));
      // Parts of an object underneath stay readable at the old key only: see `fs`, which fetches them first.
      const base: Base =
        target === undefined ? { kind: "absent" } : { kind: "object", etag: target, size: 0 };
      save.record = { ...moved, base };
      destination[which] = save;
      changes.push({ put: "save", record: save.record });
    }
    return changes;
  }

  /** Its record under the new key. What was held is closed now, unless the new name is held as well. */
  #moved(save: Save, from: Key, to: Key): SaveRecord {
    const { order, clock } = this.#engine;
    const { held: _, ...record } = { ...save.record, key: to };
    const { state } = record;
    if (state.kind === "closed") {
      order.leave(state.order, directoryOf(from));
      const place = order.take(directoryOf(to), state.closedAt);
      return { ...record, state: { ...state, order: place } };
    }
    const held = this.#engine.held.find(to);
    if (held !== undefined && (state.kind === "open" || state.kind === "held"))
      return { ...record, held };
    if (state.kind !== "held") return record;
    const closedAt = clock.now();
    const place = order.take(directoryOf(to), closedAt);
    return {
      ...record,
      state: transition(state, { kind: "close", size: state.size, closedAt, order: place }),
    };
  }

  #moveObject(
    source: Slot,
    destination: Slot,
    object: { etag: Etag; size: number; attributes?: Attributes } | undefined,
    home: ObjectRecord | undefined,
  ): Change[] {
    const { order, clock } = this.#engine;
    const place = (): number => order.take(directoryOf(destination.key), clock.now());
    const { want } = source;
    if (want?.kind === "copy") {
      if (parentKey(source.key) !== parentKey(destination.key) || want.from === destination.key)
        order.leave(want.order, directoryOf(source.key));
      // Renamed back to where it still is.
      if (want.from === destination.key) {
        destination.want = undefined;
        return [{ del: "want", key: destination.key }, ...atHome(want, home)];
      }
      const sameDirectory = parentKey(source.key) === parentKey(destination.key);
      return this.#setWant(destination, { ...want, order: sameDirectory ? want.order : place() });
    }
    if (object === undefined)
      throw new KodomountError("NotFound", `There is nothing at ${source.key} to rename`);
    const { etag, size, attributes } = object;
    return this.#setWant(destination, {
      ...{ kind: "copy", from: source.key, etag, size, order: place() },
      ...(attributes === undefined ? {} : { attributes }),
    });
  }

  /** A completing request, or the beginning of a save, is under way: its outcome decides what there is to move. At most 3 s, then `Busy`. */
  async #notCompleting(...keys: Key[]): Promise<void> {
    const deadline = AbortSignal.timeout(COMPLETING_WAIT_MS);
    for (const key of keys)
      await this.#while(
        key,
        deadline,
        ({ closed, next, open }) =>
          next !== undefined ||
          closed?.record.state.kind === "completing" ||
          open?.isReady === false,
      );
  }

  /** Two names are being swapped: what is at each would have to be copied before it is replaced by the other. */
  async #notCircular(from: Key, to: Key): Promise<void> {
    const { slots } = this.#engine;
    const deadline = AbortSignal.timeout(COMPLETING_WAIT_MS);
    await this.#while(
      from,
      deadline,
      ({ want, visible }) =>
        visible === undefined && want?.kind === "copy" && slots.isCircular(want.from, to),
    );
  }

  async #while(key: Key, deadline: AbortSignal, condition: (slot: Slot) => boolean): Promise<void> {
    const { slots } = this.#engine;
    for (let slot = slots.get(key); slot && condition(slot); slot = slots.get(key))
      try {
        await slot.changed.wait(deadline);
      } catch (error) {
        throw new KodomountError("Busy", `${key} is being completed at this moment: try again`, {
          cause: error,
        });
      }
  }
}

/** Attributes that were changed while the object was to be somewhere else. */
function atHome(want: CopyWant, known: ObjectRecord | undefined): Change[] {
  const { from: key, etag, size, attributes } = want;
  if (attributes === undefined) return [];
  const same = known?.etag === etag ? known : { parts: [], plan: undefined };
  return [{ put: "object", record: { ...same, key, etag, size, attributes } }];
}

function etagOf(object: { etag?: Etag } | undefined): { etag?: Etag } {
  return object?.etag === undefined ? {} : { etag: object.etag };
}
