// A directory is a prefix: to rename it is to rename everything below it, in one batch; the copies follow in the
// background while the view is right at once.

import { KodomountError } from "../base/mod.ts";
import type { Change, ObjectRecord } from "../catalog/mod.ts";
import { type Attributes, type Etag, type Key, parentKey, toKey } from "../model/mod.ts";
import { type CopyWant, Save } from "../publish/mod.ts";
import type { Core } from "./core.ts";
import { fetchBase } from "./place.ts";
import type { Request } from "./types.ts";
import { pendingAt } from "./view.ts";

/** More than this is left to `mv`, which then copies and deletes one by one. */
const OBJECTS_MAX = 10_000;

interface Found {
  readonly etag: Etag;
  readonly size: number;
  readonly attributes?: Attributes;
}

/**
 * @returns false when something in it has changed meanwhile: look again.
 * @throws `CrossDevice` when the directory holds too much for one batch.
 */
export async function moveDirectory(
  core: Core,
  move: { request: Request; from: Key; to: Key },
): Promise<boolean> {
  const { request, from, to } = move;
  const { publisher } = core.options;
  using _frozen = await publisher.freeze(from);
  const pending = pendingBelow(core, from);
  for (const save of pending.values())
    if (save instanceof Save) await fetchBase(save.content, request.signal);
  const objects = await objectsBelow(core, from, request.signal);
  const moved = new Set([...objects.keys(), ...pending.keys()]);
  const unmarked = await unmarkedBelow(core, from, moved);
  using _ = await core.names.acquire(request.signal);
  if (!isSame(pending, pendingBelow(core, from))) return false;
  const changes: Change[] = [];
  const touched: Key[] = [from, to];
  for (const record of unmarked) {
    const key = toKey(to + record.key.slice(from.length));
    changes.push({ put: "object", record: { ...record, key } }, { del: "object", key: record.key });
  }
  for (const key of moved) {
    if (isAbsent(core, key)) continue;
    const target = toKey(to + key.slice(from.length));
    changes.push(
      ...(await moveOne(core, {
        request,
        from: key,
        to: target,
        object: objects.get(key),
        pending: pending.get(key),
      })),
    );
    touched.push(key, target);
  }
  await publisher.journal(changes, touched, core.remember(request, {}));
  return true;
}

/** It may be closed anew, or its copy have come, in this very moment: then what is there now is renamed. */
async function moveOne(
  core: Core,
  one: {
    request: Request;
    from: Key;
    to: Key;
    object: Found | undefined;
    pending: Save | CopyWant | undefined;
  },
): Promise<Change[]> {
  const { publisher, loader } = core.options;
  const { request, from, to } = one;
  const move = { from, to, object: one.object, target: undefined, pending: one.pending };
  for (;;) {
    const changes = await publisher.rename(move);
    if (changes !== undefined) return changes;
    move.object = await withAttributes(core, from, await loader.object(from, request.signal));
    move.pending = publisher.find(from)?.content;
    if (move.object === undefined && move.pending === undefined) return []; // removed
  }
}

/** Directories that only the keys of others show have no object that could be renamed, but maybe attributes. */
async function unmarkedBelow(
  core: Core,
  from: Key,
  moved: ReadonlySet<Key>,
): Promise<ObjectRecord[]> {
  const directories = new Set<Key>([from]);
  for (const key of moved)
    for (let at = parentKey(key); at.length > from.length; at = parentKey(at)) directories.add(at);
  const records: ObjectRecord[] = [];
  for (const directory of directories) {
    const known = moved.has(directory)
      ? undefined
      : await core.options.catalog.findObject(directory);
    if (known !== undefined) records.push(known);
  }
  return records;
}

/** What is pending below a directory: saves, and copies without one. */
function pendingBelow(core: Core, from: Key): Map<Key, Save | CopyWant | undefined> {
  const pending = new Map<Key, Save | CopyWant | undefined>();
  for (const slot of core.options.publisher.below(from)) {
    const there = pendingAt(slot);
    if (there !== undefined && there !== "absent") pending.set(slot.key, slot.content);
  }
  return pending;
}

function isSame(a: ReadonlyMap<Key, unknown>, b: ReadonlyMap<Key, unknown>): boolean {
  return a.size === b.size && [...a].every(([key, save]) => b.get(key) === save);
}

function isAbsent(core: Core, key: Key): boolean {
  return pendingAt(core.options.publisher.find(key)) === "absent";
}

async function objectsBelow(core: Core, from: Key, signal: AbortSignal): Promise<Map<Key, Found>> {
  const objects = new Map<Key, Found>();
  for await (const { key, etag, size } of core.options.loader.below(from, signal)) {
    if (objects.size >= OBJECTS_MAX)
      throw new KodomountError(
        "CrossDevice",
        `A directory of more than ${OBJECTS_MAX} objects is not renamed in one step`,
      );
    const found = await withAttributes(core, key, { etag, size });
    if (found !== undefined) objects.set(key, found);
  }
  return objects;
}

/** With the attributes that this machine knows. */
async function withAttributes(
  core: Core,
  key: Key,
  object: Found | undefined,
): Promise<Found | undefined> {
  if (object === undefined) return undefined;
  const known = await core.options.catalog.findObject(key);
  return known?.etag === object.etag ? { ...object, attributes: known.attributes } : object;
}
