// Start-up: the catalog's records become slots and saves again. There is no other recovery code: the drivers do the rest.

import { groupBy, invariant, type Log } from "../base/mod.ts";
import type { AckRecord, CatalogContents, PartRecord, UploadRecord } from "../catalog/mod.ts";
import {
  META_SAVE,
  partCount,
  type SaveId,
  type SaveRecord,
  type SaveState,
  samePlan,
  transition,
  type UploadId,
} from "../model/mod.ts";
import type { Engine } from "./engine.ts";
import { tokensOf } from "./evidence.ts";
import { enterInterrupted } from "./interrupt-save.ts";
import { directoryOf } from "./order.ts";
import type { Publisher } from "./publisher.ts";
import { restoredParts } from "./restored-parts.ts";
import type { Save } from "./save.ts";
import { toSpill } from "./to-spill.ts";
import { Upload } from "./upload.ts";

/** An upload that no save needs is kept this long for the next save of its key: less than the 7 days that Kodo keeps it. */
const UPLOAD_KEEP_MS = 6 * 24 * 3600_000;

/** Acknowledgements by upload. */
type Acks = ReadonlyMap<UploadId, readonly AckRecord[]>;

/**
 * Enters everything in `contents`. Saves that were open have lost their writer: they are interrupted now.
 * @param trusted the machine has not lost power since: what was not synced is believed.
 */
export async function recover(
  engine: Engine,
  publisher: Publisher,
  contents: CatalogContents,
  trusted: boolean,
): Promise<void> {
  await toSpill(engine, contents);
  const parts = groupBy(contents.parts, (record) => record.save);
  const uploads = groupBy(contents.uploads, ({ key }) => key);
  const acks = groupBy(contents.acks, ({ uploadId }) => uploadId);
  for (const record of [...contents.saves].sort(byOrder))
    await enterSave(engine, publisher, {
      record,
      parts: parts.get(record.id) ?? [],
      uploads: uploads.get(record.key) ?? [],
      acks,
      trusted,
    });
  enterUploads(engine, publisher, contents.uploads, acks);
  for (const { key, want } of contents.wants) {
    const slot = publisher.slotOf(key);
    slot.want = want;
    slot.look = true;
    if (want.kind === "copy")
      engine.order.restore(want.order, directoryOf(key), engine.clock.now());
  }
  for (const { key, uploadId } of contents.aborts) engine.aborts.add(key, uploadId);
  await dropOrphans(engine, contents);
  for (const slot of [...engine.slots.values()]) publisher.wake(slot);
}

function byOrder(a: SaveRecord, b: SaveRecord): number {
  const order = ({ state }: SaveRecord): number =>
    "order" in state ? state.order : Number.MAX_SAFE_INTEGER;
  return order(a) - order(b);
}

async function enterSave(
  engine: Engine,
  publisher: Publisher,
  found: {
    record: SaveRecord;
    parts: readonly PartRecord[];
    /** Of its key. */
    uploads: readonly UploadRecord[];
    acks: Acks;
    trusted: boolean;
  },
): Promise<void> {
  const { record } = found;
  const wasOpen = record.state.kind === "open" || record.state.kind === "refused";
  const save = publisher.restore(record);
  const { size, parts } = await restoredParts(engine, found, wasOpen);
  save.content.restore(size, parts);
  const state = stateAfterStart(record, {
    size,
    since: engine.clock.now(),
    trusted: found.trusted || record.fsynced || isBacked(engine, found),
  });
  if (state.kind === "interrupted") {
    const { changes } = enterInterrupted(engine, save, { ...record, size, state });
    if (state !== record.state) await engine.catalog.apply(changes, { sync: !found.trusted });
    if (!wasOpen && record.state.kind !== "held")
      lookForIt(engine, publisher, save, tokensOf(record, found.uploads));
    return;
  }
  enterState(engine, save);
  const slot = publisher.slotOf(record.key);
  // In the order of the closes: the request of the first may have been under way when the second was closed.
  if (slot.closed === undefined) slot.closed = save;
  else {
    const { closed: first } = slot;
    if (first.record.state.kind === "closed")
      first.record = first.after({ kind: "complete", token: first.record.id });
    slot.next = save;
  }
  slot.look = true;
  if (record.source !== undefined) engine.needs.add(save);
}

/** Nobody writes, nor renames, any more; and a close that had not returned before a loss of power may have lost its bytes. */
function stateAfterStart(
  record: SaveRecord,
  at: { size: number; since: number; trusted: boolean },
): SaveState {
  const { state } = record;
  const { size, since, trusted } = at;
  if (state.kind === "open" || state.kind === "refused" || state.kind === "held")
    return transition(state, { kind: "interrupt", since, size });
  const isClosed = state.kind === "closed" || state.kind === "completing";
  if (isClosed && !trusted) return transition(state, { kind: "distrust", since });
  return state;
}

/** The store has acknowledged all of it, as far as the catalog knows: nothing of it is needed from the disk. */
function isBacked(
  engine: Engine,
  found: {
    record: SaveRecord;
    parts: readonly PartRecord[];
    uploads: readonly UploadRecord[];
    acks: Acks;
  },
): boolean {
  const { record, parts } = found;
  if (parts.length === 0 || parts.length !== partCount(engine.plan, record.size)) return false;
  const held = new Map(
    found.uploads
      .flatMap(({ uploadId }) => found.acks.get(uploadId) ?? [])
      .map((ack) => [ack.partNumber, ack]),
  );
  return parts.every(
    ({ partNumber, content }) =>
      content.kind !== "base" &&
      content.sha256 !== undefined &&
      held.get(partNumber)?.sha256 === content.sha256,
  );
}

/** Drops an interrupted save that the bucket has after all. */
function lookForIt(
  engine: Engine,
  publisher: Publisher,
  save: Save,
  tokens: readonly string[],
): void {
  const { key } = save.record;
  engine.background.run(`looking for ${key} in the bucket`, async () => {
    const head = await engine.store.head(key, engine.stop);
    const token = head?.metadata[META_SAVE];
    if (token === undefined || !tokens.includes(token) || head?.size !== save.content.size) return;
    if (publisher.find(key)?.interrupted === save) await publisher.discard(save);
  });
}

function enterState(engine: Engine, save: Save): void {
  const { state, key } = save.record;
  invariant(state.kind !== "open" && state.kind !== "refused", "nothing is open after a restart");
  if (state.kind === "closed" || state.kind === "completing")
    engine.order.restore(state.order, directoryOf(key), state.closedAt);
}

/** One upload a key is kept, the newest that is cut as we cut; the others are aborted. */
function enterUploads(
  engine: Engine,
  publisher: Publisher,
  uploads: readonly UploadRecord[],
  acks: Acks,
): void {
  for (const record of [...uploads].sort((a, b) => b.createdAt - a.createdAt)) {
    const slot = publisher.slotOf(record.key);
    const needed =
      slot.closed !== undefined || engine.clock.now() - record.createdAt < UPLOAD_KEEP_MS;
    if (slot.upload === undefined && needed && samePlan(record.plan, engine.plan)) {
      // What was under way when we ended may still land.
      const held = (acks.get(record.uploadId) ?? []).map((ack) => [ack.partNumber, ack] as const);
      slot.upload = new Upload({ ...record, doubt: true }, held);
    } else {
      const { key, uploadId } = record;
      const changes = [
        { del: "upload", key, uploadId } as const,
        { put: "abort", key, uploadId } as const,
      ];
      engine.background.run(`forgetting an upload of ${key}`, async () => {
        await engine.catalog.apply(changes, { sync: false });
        engine.aborts.add(key, uploadId);
      });
    }
  }
}

/** Spill without a record was begun by a save whose record no promise had made durable. */
async function dropOrphans(engine: Engine, contents: CatalogContents): Promise<void> {
  const known = new Set<SaveId>(contents.saves.map(({ id }) => id));
  for (const id of await engine.spill.listSaves())
    if (!known.has(id)) await dropOrphan(engine, id, engine.log);
}

async function dropOrphan(engine: Engine, id: SaveId, log: Log): Promise<void> {
  log.info({ save: id }, "Spill of a save that was finished or never promised: removed");
  await engine.spill.removeSave(id);
}
