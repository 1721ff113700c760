// `--persist-attributes=copy`: attributes that were changed after the upload of their object was begun reach its metadata,
// by a copy of the object onto itself. A want of its key, done by its driver, so never while something else is under way
// there; many changes make one copy.
//
// The object is the same in content, but another version: whoever would read it, build upon it, rename or remove it waits
// for the one request (`Slot.isCopying`).

import { type Code, codeOf, describe, KodomountError, step } from "../base/mod.ts";
import type { Change, ObjectRecord } from "../catalog/mod.ts";
import { type Etag, META_SAVE, toMetadata, type Want } from "../model/mod.ts";
import type { ObjectHead } from "../store/mod.ts";
import { copyObject } from "./copy-object.ts";
import type { Engine } from "./engine.ts";
import { newToken } from "./ids.ts";
import type { Slot } from "./slot.ts";

export type AttributesWant = Want & { readonly kind: "attributes" };

/** From the last change to the copy, since programs set mode, owner and times one after the other; and until one that must wait is looked at again. */
const SETTLE_MS = 5000;

/**
 * What makes it durable that the object at a slot shall have its attributes as metadata, if that was asked for; the slot wants
 * it from now on.
 * @param metadata what it is known to have: nothing is wanted when that is right already.
 */
export function wantAttributes(
  engine: Engine,
  slot: Slot,
  { etag, size, attributes }: ObjectRecord,
  metadata?: Readonly<Record<string, string>>,
): Change[] {
  if (!engine.persistAttributes) return [];
  if (metadata !== undefined && isSame(toMetadata(attributes, "", metadata), metadata)) return [];
  const token = newToken();
  const since = engine.clock.now();
  const want = { kind: "attributes", etag, size, attributes, token, since } as const;
  slot.want = want;
  return [{ put: "want", key: slot.key, want }];
}

/** Copies at a time: after a `chmod -R` whoever closes a file does not wait behind thousands. */
const COPIES_MAX = 8;
/** Until one that finds no room among them is looked at again. */
const ROOM_MS = 1000;

const LOOK_AGAIN: ReadonlySet<Code> = new Set<Code>([
  "Interrupted",
  "PreconditionFailed",
  "NotFound",
]);

export class AttributeCopies {
  readonly #engine: Engine;
  readonly #wake: (slot: Slot) => void;
  /** Slots that are looked at again, with what cancels it. */
  readonly #waiting = new Map<Slot, () => void>();
  #hurriedAt = Number.NEGATIVE_INFINITY;
  #copying = 0;

  constructor(engine: Engine, wake: (slot: Slot) => void) {
    this.#engine = engine;
    this.#wake = wake;
    engine.stop.addEventListener("abort", () => {
      for (const cancel of this.#waiting.values()) cancel();
    });
  }

  /** Somebody waits: what is wanted now is not held back. */
  hurry(): void {
    this.#hurriedAt = this.#engine.clock.now();
    for (const [slot, cancel] of [...this.#waiting]) {
      cancel();
      this.#waiting.delete(slot);
      this.#wake(slot);
    }
  }

  /** One attempt, when it is due. @returns `idle` when there is nothing to do now: the driver is woken again. */
  async run(slot: Slot, want: AttributesWant): Promise<"idle" | "more"> {
    const { clock, freeze, needs, slots, stop } = this.#engine;
    const settledAt = want.since <= this.#hurriedAt ? want.since : want.since + SETTLE_MS;
    const waitMs = Math.min(SETTLE_MS, settledAt - clock.now());
    if (waitMs > 0) return this.#later(slot, waitMs);
    const { key } = slot;
    // Who needs this very version is not made to fetch it for this.
    if (isBusy(slot) || needs.has(key) || slots.copierOf(key) !== undefined)
      return this.#later(slot, SETTLE_MS);
    if (this.#copying >= COPIES_MAX) return this.#later(slot, ROOM_MS);
    this.#copying += 1;
    try {
      await freeze.turn(key, stop);
      if (slot.want === want && !isBusy(slot)) await this.#attempt(slot, want);
    } finally {
      this.#copying -= 1;
    }
    return "more";
  }

  async #attempt(slot: Slot, want: AttributesWant): Promise<void> {
    slot.isCopying = true;
    try {
      await this.#copy(slot, want);
    } catch (error) {
      await this.#afterFailure(slot, want, error);
    } finally {
      slot.isCopying = false;
      slot.changed.notify();
    }
  }

  #later(slot: Slot, waitMs: number): "idle" {
    if (this.#waiting.has(slot)) return "idle";
    const cancel = this.#engine.clock.after(waitMs, () => {
      this.#waiting.delete(slot);
      this.#wake(slot);
    });
    this.#waiting.set(slot, cancel);
    return "idle";
  }

  /** HEAD before it and after it: some stores ignore the condition of a copy, and a crash leaves its outcome unknown. */
  async #copy(slot: Slot, want: AttributesWant): Promise<void> {
    const { store, stop, catalog, log } = this.#engine;
    const { key } = slot;
    // After a loss of power the save that made this version must not come back, and take the copy for the work of others.
    await catalog.syncNow();
    const source = await store.head(key, stop);
    if (source === undefined) return this.#done(slot, want, undefined);
    if (source.metadata[META_SAVE] === want.token) return this.#done(slot, want, source.etag);
    if (source.etag !== want.etag) return this.#done(slot, want, undefined);
    const metadata = toMetadata(want.attributes, want.token, source.metadata);
    if (isSame(metadata, source.metadata)) return this.#done(slot, want, source.etag);
    if (!isStandard(source)) {
      log.warn(
        { key },
        `The attributes of ${key} stay on this machine: a copy would put it into another storage class`,
      );
      return this.#done(slot, want, source.etag);
    }
    try {
      await copyObject(this.#engine, { from: key, to: key, source, metadata });
    } catch (error) {
      // A reply may be lost, and the request that comes again be refused: the outcome is what HEAD says.
      if (await this.#isDone(slot, want)) return;
      throw error;
    }
    step("copy.done");
    if (!(await this.#isDone(slot, want)))
      throw new KodomountError("Unavailable", `${key} does not have its attributes yet`);
  }

  /** Whether the object is there with its attributes; then the want is, too. */
  async #isDone(slot: Slot, want: AttributesWant): Promise<boolean> {
    const made = await this.#engine.store.head(slot.key, this.#engine.stop);
    if (made?.metadata[META_SAVE] !== want.token || made.size !== want.size) return false;
    await this.#done(slot, want, made.etag);
    return true;
  }

  /** What is refused for good stays in the catalog; what has changed, or fails, is looked at again a little later. */
  async #afterFailure(slot: Slot, want: AttributesWant, error: unknown): Promise<void> {
    const isRetryable = error instanceof KodomountError && error.retryable;
    if (isRetryable || LOOK_AGAIN.has(codeOf(error))) throw error;
    this.#engine.log.warn(
      { key: slot.key, err: error },
      `The attributes of ${slot.key} stay on this machine: ${describe(error)}`,
    );
    await this.#done(slot, want, want.etag);
  }

  /** @param etag of the version that has the attributes; undefined: another client's is there, of which nothing is known. */
  async #done(slot: Slot, want: AttributesWant, etag: Etag | undefined): Promise<void> {
    const { catalog, onObjectChanged } = this.#engine;
    const { key } = slot;
    const known = await catalog.findObject(key);
    const { size, attributes } = want;
    const changes: Change[] = [];
    if (etag !== undefined && etag !== want.etag) {
      const same = known?.etag === want.etag ? known : { attributes, parts: [], plan: undefined };
      changes.push({ put: "object", record: { ...same, key, etag, size } });
    }
    const now = slot.want;
    if (now === want) {
      slot.want = undefined;
      slot.look = false;
      slot.lastError = undefined;
      changes.push({ del: "want", key });
    } else if (now?.kind === "attributes" && etag !== undefined) {
      slot.want = { ...now, etag };
      changes.push({ put: "want", key, want: slot.want });
    }
    await catalog.apply(changes, { sync: false });
    step("want.done");
    if (etag !== want.etag) onObjectChanged(key, etag === undefined ? "unknown" : { etag, size });
  }
}

/** Something else is under way at the key, which may replace the object or builds upon it. */
function isBusy(slot: Slot): boolean {
  return [slot.open, slot.closed, slot.next, slot.guest, slot.creating].some(
    (each) => each !== undefined,
  );
}

/** But for the token. */
function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  names.delete(META_SAVE);
  return [...names].every((name) => a[name] === b[name]);
}

function isStandard({ storageClass }: ObjectHead): boolean {
  return storageClass === undefined || storageClass === "STANDARD";
}
