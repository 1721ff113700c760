// Makes the wants true that need no content of ours: a server-side copy, a deletion.

import { describe, step } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import { toMetadata, type Want } from "../model/mod.ts";
import { copyObject } from "./copy-object.ts";
import type { Engine, ObjectChange } from "./engine.ts";
import { newToken } from "./ids.ts";
import { directoryOf } from "./order.ts";
import { wantAttributes } from "./persist-attributes.ts";
import type { CopyWant, Slot } from "./slot.ts";
import { classOfCopy } from "./storage-class.ts";
import { untilFree, untilTurn } from "./until-free.ts";

type AbsentWant = Want & { kind: "absent" };

export class Wants {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** One attempt at `slot.want`; idempotent. Returns when it is done or the driver should look again. */
  async run(slot: Slot, want: CopyWant | AbsentWant): Promise<void> {
    if (want.kind === "copy") await this.#copy(slot, want);
    else await this.#delete(slot, want);
  }

  async #copy(slot: Slot, want: CopyWant): Promise<void> {
    const { store, stop, log, catalog } = this.#engine;
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
    const metadata = toMetadata(want.attributes, newToken(), source.metadata);
    const names = { from: want.from, to: slot.key };
    const storageClass = classOfCopy(this.#engine, { ...names, source });
    const etag = await copyObject(this.#engine, { ...names, source, metadata, storageClass });
    step("copy.done");
    const known = await catalog.findObject(want.from);
    const same = known?.etag === source.etag ? known : undefined;
    const { key } = slot;
    const { size } = source;
    const made = { etag, size, storageClass };
    // For attributes that are changed meanwhile, or while this is written, the copy is not made again: they are in the catalog.
    for (let now = slot.want; isSameCopy(now, want); now = slot.want) {
      const attributes = now.attributes ?? same?.attributes;
      if (attributes === undefined) {
        await this.#done(slot, now, [{ del: "object", key }], made);
        continue;
      }
      const { parts, plan } = { parts: same?.parts ?? [], plan: same?.plan };
      const record = { key, etag, size, attributes, parts, plan };
      await this.#done(slot, now, [{ put: "object", record }], made);
      if (slot.want === undefined)
        await catalog.apply(wantAttributes(this.#engine, slot, record, metadata), { sync: false });
    }
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

  async #done(
    slot: Slot,
    want: CopyWant | AbsentWant,
    changes: Change[],
    now: ObjectChange,
  ): Promise<void> {
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

/** The same, but for its attributes. */
function isSameCopy(now: Want | undefined, want: CopyWant): now is CopyWant {
  return now?.kind === "copy" && now.from === want.from && now.order === want.order;
}

/** For the log: why a want is not true yet. */
export function describeWant(want: Want, error: unknown): string {
  return `${whatOf(want)}: ${describe(error)}`;
}

function whatOf(want: Want): string {
  switch (want.kind) {
    case "copy":
      return `copying from ${want.from}`;
    case "absent":
      return "deleting";
    case "attributes":
      return "setting its attributes";
  }
}
