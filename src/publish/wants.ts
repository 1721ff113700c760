// Makes the wants true that need no content of ours: a server-side copy, a deletion.

import { describe, KodomountError, step } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import {
  type Etag,
  type Key,
  META_SAVE,
  type PartNumber,
  type PartPlan,
  partsOf,
  toMetadata,
  type UploadId,
  type Want,
} from "../model/mod.ts";
import type { ObjectHead } from "../store/mod.ts";
import type { Engine, ObjectChange } from "./engine.ts";
import { newToken } from "./ids.ts";
import { directoryOf } from "./order.ts";
import type { CopyWant, Slot } from "./slot.ts";
import { untilFree, untilTurn } from "./until-free.ts";

type AbsentWant = Want & { kind: "absent" };

export class Wants {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** One attempt at `slot.want`; idempotent. Returns when it is done or the driver should look again. */
  async run(slot: Slot, want: Want): Promise<void> {
    if (want.kind === "copy") await this.#copy(slot, want);
    else await this.#delete(slot, want);
  }

  async #copy(slot: Slot, want: CopyWant): Promise<void> {
    const { store, stop, log } = this.#engine;
    await untilTurn(this.#engine, slot.key, want.order, stop);
    if (slot.want !== want) return;
    const source = await store.head(want.from, stop);
    if (source === undefined) {
      log.warn(
        { key: slot.key, from: want.from },
        `${want.from} is gone: its renaming to ${slot.key} ends here`,
      );
      return this.#done(slot, want, [], "unknown");
    }
    if (source.etag !== want.etag)
      log.warn(
        { key: slot.key, from: want.from },
        `${want.from} was changed by another client: its newer content is renamed to ${slot.key}`,
      );
    const etag = await this.#copyObject(slot, want, source);
    step("copy.done");
    const known = await this.#engine.catalog.findObject(want.from);
    const same = known?.etag === source.etag ? known : undefined;
    // Attributes that were changed meanwhile stay in the catalog: the copy is not made again for them.
    const now = slot.want;
    if (now?.kind !== "copy" || now.from !== want.from || now.order !== want.order) return;
    const { parts, plan } = { parts: same?.parts ?? [], plan: same?.plan };
    const attributes = now.attributes ?? same?.attributes;
    const change: Change =
      attributes === undefined
        ? { del: "object", key: slot.key }
        : {
            put: "object",
            record: { key: slot.key, etag, size: source.size, attributes, parts, plan },
          };
    await this.#done(slot, now, [change], { etag, size: source.size });
  }

  async #copyObject(slot: Slot, want: CopyWant, source: ObjectHead): Promise<Etag> {
    const { store, stop, copySizeMax } = this.#engine;
    const metadata = toMetadata(want.attributes, newToken(), source.metadata);
    if (source.size <= copySizeMax)
      return (
        await store.copy({ from: want.from, to: slot.key, etag: source.etag, metadata }, stop)
      ).etag;
    return this.#copyByParts(slot, want, source, metadata);
  }

  /** Larger than one CopyObject takes. What a crash or a failure leaves is aborted, and the copy is made anew. */
  async #copyByParts(
    slot: Slot,
    want: CopyWant,
    source: ObjectHead,
    metadata: Record<string, string>,
  ): Promise<Etag> {
    const { store, stop, catalog, aborts } = this.#engine;
    const { key } = slot;
    const { uploadId } = await store.createUpload({ key, metadata }, stop);
    await catalog.apply([{ put: "abort", key, uploadId }], { sync: false });
    try {
      const parts = await this.#copyParts({ key, uploadId }, want, source);
      await store.complete({ key, uploadId, parts }, stop);
    } catch (error) {
      aborts.add(key, uploadId);
      throw error;
    }
    const head = await store.head(key, stop);
    if (head === undefined || head.metadata[META_SAVE] !== metadata[META_SAVE])
      throw new KodomountError(
        "Unavailable",
        `The copy of ${want.from} to ${key} is not visible yet`,
      );
    await catalog.apply([{ del: "abort", uploadId }], { sync: false });
    return head.etag;
  }

  async #copyParts(
    upload: { key: Key; uploadId: UploadId },
    want: CopyWant,
    source: ObjectHead,
  ): Promise<{ partNumber: PartNumber; etag: Etag }[]> {
    const { store, stop } = this.#engine;
    const parts: { partNumber: PartNumber; etag: Etag }[] = [];
    for (const { partNumber, offset, size } of partsOf(this.#copyPlan(), source.size)) {
      const range = { offset, length: size };
      const request = { ...upload, partNumber, from: want.from, etag: source.etag, range };
      parts.push({ partNumber, etag: (await store.copyPart(request, stop)).etag });
    }
    return parts;
  }

  #copyPlan(): PartPlan {
    return { tiers: [{ count: 10_000, size: this.#engine.copySizeMax }] };
  }

  async #delete(slot: Slot, want: AbsentWant): Promise<void> {
    const { store, stop, log } = this.#engine;
    if (await untilFree(this.#engine, slot.key, stop)) return;
    if (slot.look && want.etag !== undefined) {
      const head = await store.head(slot.key, stop);
      if (head !== undefined && head.etag !== want.etag) {
        log.warn(
          { key: slot.key },
          `${slot.key} was written by another client after it was deleted here: it stays`,
        );
        return this.#done(slot, want, [], "unknown");
      }
    }
    await store.delete(slot.key, stop);
    step("delete.done");
    await this.#done(slot, want, [], "deleted");
  }

  async #done(slot: Slot, want: Want, changes: Change[], now: ObjectChange): Promise<void> {
    if (slot.want !== want) return;
    const { catalog, order, onObjectChanged } = this.#engine;
    changes.push({ del: "want", key: slot.key });
    if (want.kind === "absent") changes.push({ del: "object", key: slot.key });
    await catalog.apply(changes, { sync: false });
    step("want.done");
    if (slot.want !== want) return;
    slot.want = undefined;
    slot.look = false;
    slot.lastError = undefined;
    onObjectChanged(slot.key, now);
    if (want.kind === "copy") order.leave(want.order, directoryOf(slot.key));
    slot.changed.notify();
  }
}

/** For the log: why a want is not true yet. */
export function describeWant(want: Want, error: unknown): string {
  return `${want.kind === "copy" ? `copying from ${want.from}` : "deleting"}: ${describe(error)}`;
}
