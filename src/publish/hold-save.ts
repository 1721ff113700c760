// The close of a file under a held name: it waits for its rename.

import { codeOf, step } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import { nameOf, toKey } from "../model/mod.ts";
import { dropSave } from "./drop-save.ts";
import type { Engine } from "./engine.ts";
import type { CloseOptions } from "./publisher.ts";
import type { Save } from "./save.ts";
import { dropChanges, partChanges } from "./save-records.ts";

/**
 * Its content is complete; nothing of it is published before its rename.
 * @throws what the disk says; then everything is as it was.
 */
export async function holdSave(engine: Engine, save: Save, options: CloseOptions): Promise<void> {
  await save.content.freezeAll();
  if (options.durable) await save.content.sync();
  if (save.isNameless) return; // removed meanwhile
  const slot = engine.slots.of(save.record.key);
  const [before, opened] = [slot.closed, save.record];
  const { size } = save.content;
  const held = save.after({ kind: "hold", size, since: engine.clock.now() });
  save.record = { ...held, fsynced: options.durable };
  const changes: Change[] = [{ put: "save", record: save.record }, ...partChanges(save)];
  if (before !== undefined) changes.push(...dropChanges(before));
  if (options.reply !== undefined) changes.push({ put: "reply", record: options.reply });
  slot.closed = save;
  if (slot.open === save) slot.open = undefined;
  try {
    await engine.catalog.apply(changes, { sync: options.durable });
  } catch (error) {
    if (slot.closed === save && save.record.state.kind === "held") {
      save.record = opened;
      slot.closed = before;
      slot.open ??= save;
    }
    throw error;
  }
  step("save.held");
  if (before !== undefined) dropSave(engine, before);
}

/**
 * Ends the wait for a rename `holdMs` after the last use of the file. Where a directory above is what is held, its rename
 * may take as long as it likes.
 */
export function letExpire(
  engine: Engine,
  save: Save,
  on: { isUsed: () => boolean; end: () => Promise<void> },
): void {
  const { key } = save.record;
  if (engine.held.find(toKey(nameOf(key)), true) === undefined) return;
  engine.background.run(`waiting for a rename of ${key}`, async () => {
    try {
      await engine.clock.sleep(engine.holdMs, engine.stop);
    } catch (error) {
      if (codeOf(error) === "Interrupted") return; // the mount stops: the next start interrupts it
      throw error;
    }
    const isHeld = engine.slots.get(key)?.closed === save && save.record.state.kind === "held";
    if (isHeld && !on.isUsed()) await on.end();
  });
}
