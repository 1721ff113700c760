// A directory is a prefix: to rename it is to rename everything below it, in one batch; the copies follow in the
// background while the view is right at once.

import { KodomountError } from "../base/mod.ts";
import type { Change } from "../catalog/mod.ts";
import { type Attributes, type Etag, type Key, toKey } from "../model/mod.ts";
import type { Core } from "./core.ts";
import type { Request } from "./types.ts";
import { pendingAt, type View } from "./view.ts";

/** More than this is left to `mv`, which then copies and deletes one by one. */
const OBJECTS_MAX = 10_000;

interface Found {
  readonly etag: Etag;
  readonly size: number;
  readonly attributes?: Attributes;
}

/** @throws `CrossDevice` when the directory holds too much for one batch. */
export async function moveDirectory(
  core: Core,
  view: View,
  move: { request: Request; from: Key; to: Key },
): Promise<void> {
  const { request, from, to } = move;
  const { publisher } = core.options;
  const objects = await objectsBelow(core, from, request.signal);
  for (const slot of publisher.below(from)) {
    const save = slot.visible;
    if (save !== undefined)
      for (const partNumber of save.content.partNumbers())
        await save.content.materialize(partNumber, request.signal);
  }
  using _ = await core.names.acquire(request.signal);
  const keys = new Set<Key>(objects.keys());
  for (const slot of publisher.below(from)) {
    const pending = pendingAt(slot);
    if (pending !== undefined && pending !== "absent") keys.add(slot.key);
    if (pending === "absent") keys.delete(slot.key);
  }
  const changes: Change[] = [];
  const touched: Key[] = [];
  for (const key of keys) {
    const target = toKey(to + key.slice(from.length));
    changes.push(
      ...(await publisher.rename({
        from: key,
        to: target,
        object: objects.get(key),
        target: undefined,
      })),
    );
    touched.push(key, target);
  }
  await publisher.journal(changes, [...touched, from, to], core.remember(request, {}));
  if (!view.hasPending(to)) core.options.loader.forget(to);
}

async function objectsBelow(core: Core, from: Key, signal: AbortSignal): Promise<Map<Key, Found>> {
  const objects = new Map<Key, Found>();
  for await (const { key, etag, size } of core.options.loader.below(from, signal)) {
    if (objects.size >= OBJECTS_MAX)
      throw new KodomountError(
        "CrossDevice",
        `A directory of more than ${OBJECTS_MAX} objects is not renamed in one step`,
      );
    const known = await core.options.catalog.findObject(key);
    objects.set(key, {
      etag,
      size,
      ...(known !== undefined && known.etag === etag ? { attributes: known.attributes } : {}),
    });
  }
  return objects;
}
