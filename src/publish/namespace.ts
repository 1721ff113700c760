// Changes of names among what is pending: what is at one key shall be at another, or nowhere. Each returns the records
// that make it durable; `journal` writes them in one synced batch, and then the drivers act.

import { KodomountError } from "../base/mod.ts";
import type { Change, ObjectRecord } from "../catalog/mod.ts";
import {
  type Attributes,
  type Base,
  type Etag,
  type Key,
  type SaveRecord,
  type Source,
  sourceOf,
  transition,
  type Want,
} from "../model/mod.ts";
import { keptObject } from "./change-attributes.ts";
import { dropInterrupted, dropSave } from "./drop-save.ts";
import type { Engine } from "./engine.ts";
import { adoptClosed, type Keeper, keepNameless } from "./nameless.ts";
import { needsSource } from "./needs.ts";
import { directoryOf } from "./order.ts";
import type { Save } from "./save.ts";
import { dropChanges } from "./save-records.ts";
import type { CopyWant, Slot } from "./slot.ts";
import { leaveUploadSlot } from "./upload-slot.ts";

/** How long a rename or removal waits for the one request that is under way at its key. */
const COMPLETING_WAIT_MS = 3000;

/**
 * What is at `from` shall be at `to`, and nothing at `from`. Pending content moves locally; an object is copied and deleted
 * by the store in the background.
 */
export interface Move {
  readonly from: Key;
  readonly to: Key;
  /** The object at `from`, if there is one. */
  readonly object: { etag: Etag; size: number; attributes?: Attributes } | undefined;
  /** The object at `to`. */
  readonly target: Etag | undefined;
  /** What was found pending at `from`. */
  readonly pending: Save | CopyWant | undefined;
  /** Who has open what is at `to`. */
  readonly keeper?: Keeper | undefined;
}

export class Namespace {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** All of `moves` at once, or none. @returns undefined when something else is pending at a source by now: look again. */
  async rename(moves: readonly Move[]): Promise<Change[] | undefined> {
    const { slots } = this.#engine;
    const homes = await this.#homesOf(moves);
    const hasWaited = await this.#untilIdle(() => findFirst(moves, (move) => this.#busyAt(move)));
    for (const { from } of moves) assertMovable(slots.get(from));
    if (hasWaited || moves.some(({ from, pending }) => slots.get(from)?.content !== pending))
      return undefined;
    return moves.flatMap((move) => this.#rename(move, homes.get(move.to)));
  }

  /** What is known of objects that are to be renamed back to where they still are. */
  async #homesOf(moves: readonly Move[]): Promise<Map<Key, ObjectRecord>> {
    const homes = new Map<Key, ObjectRecord>();
    for (const { from, to } of moves) {
      const want = this.#engine.slots.get(from)?.want;
      if (want?.kind !== "copy" || want.from !== to) continue;
      const known = await this.#engine.catalog.findObject(to);
      if (known !== undefined) homes.set(to, known);
    }
    return homes;
  }

  #rename(move: Move, home: ObjectRecord | undefined): Change[] {
    const source = this.#engine.slots.of(move.from);
    const destination = this.#engine.slots.of(move.to);
    const wasCopy = source.want?.kind === "copy";
    const changes = this.#clear(destination, move.keeper);
    if (source.open !== undefined || source.closed !== undefined)
      changes.push(...this.#moveSaves(source, destination, move.target));
    else
      changes.push(
        ...this.#abandonUpload(destination),
        ...this.#moveObject(source, destination, move.object, home),
      );
    if (move.object !== undefined || wasCopy)
      changes.push(...this.#setWant(source, { kind: "absent", ...etagOf(move.object) }));
    return changes;
  }

  /** Nothing below `directory` becomes visible until it is disposed of; what was about to has done so, or not. */
  async freeze(directory: Key): Promise<Disposable> {
    const { freeze, slots } = this.#engine;
    const frozen = freeze.hold(directory);
    try {
      await this.#untilIdle(() => [...slots.below(directory)].find(isCompleting));
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
    const slot = this.#engine.slots.of(key);
    const hasWaited = await this.#untilIdle(() => (isCompleting(slot) ? slot : undefined));
    if (hasWaited || slot.content !== pending) return undefined;
    const copied = slot.want?.kind === "copy";
    const changes = [
      ...this.#clear(slot, keeper),
      ...this.#abandonUpload(slot),
      ...dropInterrupted(this.#engine, slot),
    ];
    if (object !== undefined || copied)
      changes.push(...this.#setWant(slot, { kind: "absent", ...etagOf(object) }));
    return changes;
  }

  /** What is pending at the key goes: closed content is dropped, an open file becomes nameless. Its upload stays. */
  #clear(slot: Slot, keeper: Keeper | undefined): Change[] {
    const { open, closed } = slot;
    const changes: Change[] = [{ del: "want", key: slot.key }];
    for (const save of [open, closed]) if (save !== undefined) changes.push(...dropChanges(save));
    slot.open = undefined;
    slot.closed = undefined;
    if (open !== undefined) keepNameless(this.#engine, open);
    else if (closed !== undefined) keeper?.take(adoptClosed(this.#engine, closed));
    else if (keeper?.spare !== undefined) {
      keepNameless(this.#engine, keeper.spare);
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
      save.isMoved = true;
      const foretold = leaveUploadSlot(this.#engine, save);
      const moved = this.#moved(save, source.key, destination.key);
      const next = moved.held?.final ?? moved.key;
      // A wrong guess: what was sent there is of no use. A right one, but not there yet: it goes on.
      if (foretold?.key === next && moved.held !== undefined) foretold.guest = save;
      else if (foretold !== undefined && foretold !== destination && !foretold.interrupted)
        changes.push(...this.#abandonUpload(foretold));
      save.record = overTarget(
        moved,
        target,
        needsSource(save) ? sourceOf(save.record) : undefined,
      );
      this.#engine.needs.add(save);
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
      const sameDirectory = directoryOf(source.key) === directoryOf(destination.key);
      const isHome = want.from === destination.key;
      if (isHome || !sameDirectory) order.leave(want.order, directoryOf(source.key));
      // Renamed back to where it still is.
      if (isHome) {
        destination.want = undefined;
        return [{ del: "want", key: destination.key }, ...this.#atHome(want, home)];
      }
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

  /** Attributes that were changed while the object was to be somewhere else. */
  #atHome(
    { from: key, etag, size, attributes }: CopyWant,
    known: ObjectRecord | undefined,
  ): Change[] {
    if (attributes === undefined) return [];
    const same = known?.etag === etag ? known : { parts: [], plan: undefined };
    return keptObject(this.#engine, { ...same, key, etag, size, attributes });
  }

  /** What stands in the way of a move now: see `#isCompleting` and `#isCircular`. */
  #busyAt({ from, to }: Move): Slot | undefined {
    const { slots } = this.#engine;
    const [source, destination] = [slots.get(from), slots.get(to)];
    if (isCompleting(source) || (source !== undefined && this.#isCircular(source, to)))
      return source;
    return isCompleting(destination) ? destination : undefined;
  }

  /** Two names are being swapped: what is at each would have to be copied before it is replaced by the other. */
  #isCircular({ want, visible }: Slot, to: Key): boolean {
    if (visible !== undefined || want?.kind !== "copy") return false;
    return this.#engine.slots.isCircular(want.from, to);
  }

  /** @returns whether it had to wait: then the objects may be others by now. */
  async #untilIdle(busy: () => Slot | undefined): Promise<boolean> {
    let slot = busy();
    if (slot === undefined) return false;
    const deadline = AbortSignal.timeout(COMPLETING_WAIT_MS);
    for (; slot !== undefined; slot = busy())
      try {
        await slot.changed.wait(deadline);
      } catch (error) {
        throw new KodomountError(
          "Busy",
          `${slot.key} is being completed at this moment: try again`,
          { cause: error },
        );
      }
    return true;
  }
}

/** What only the store has is in an upload of its key, which cannot become one of another key. */
function assertMovable(slot: Slot | undefined): void {
  for (const save of [slot?.open, slot?.closed])
    if (save?.content.isEvicted)
      throw new KodomountError(
        "Busy",
        `${slot?.key} is larger than the spill and on its way to the store under this name: rename it after its close; see '--spill-limit'`,
      );
}

/** A completing request, or the beginning of a save, is under way: its outcome decides what there is to move. */
function isCompleting(slot: Slot | undefined): boolean {
  if (slot === undefined) return false;
  const { closed, next, open } = slot;
  return (
    next !== undefined ||
    closed?.record.state.kind === "completing" ||
    open?.isReady === false ||
    slot.isCopying
  );
}

/** The first thing that `find` finds. */
function findFirst<T, U>(items: readonly T[], find: (item: T) => U | undefined): U | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Its record at its new key. What its unchanged parts lie in stays where it is. */
function overTarget(
  moved: SaveRecord,
  target: Etag | undefined,
  source: Source | undefined,
): SaveRecord {
  const { source: _, ...record } = moved;
  // Renamed to where they lie: then they are what it replaces.
  if (source?.key === record.key)
    return { ...record, base: { kind: "object", etag: source.etag, size: source.size } };
  const base: Base =
    target === undefined ? { kind: "absent" } : { kind: "object", etag: target, size: 0 };
  return { ...record, base, ...(source === undefined ? {} : { source }) };
}

function etagOf(object: { etag?: Etag } | undefined): { etag?: Etag } {
  return object?.etag === undefined ? {} : { etag: object.etag };
}
