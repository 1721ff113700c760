// A directory is a prefix: to rename it is to rename everything below it, in one batch; the copies follow in the
// background while the view is right at once.

import { KodomountError } from "../base/mod.ts";
import type { ObjectRecord } from "../catalog/mod.ts";
import { type Attributes, type Etag, type Key, parentKey, toKey } from "../model/mod.ts";
import type { CopyWant, Save } from "../publish/mod.ts";
import { assertReadable } from "./archives.ts";
import type { Core } from "./core.ts";
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
 * @throws `CrossDevice` when the directory holds too much for one batch, `Archived`.
 */
export async function moveDirectory(
  core: Core,
  move: { request: Request; from: Key; to: Key },
): Promise<boolean> {
  const { request, from, to } = move;
  const { publisher } = core.options;
  using _frozen = await publisher.freeze(from);
  const before = pendingBelow(core, from);
  const objects = await objectsBelow(core, from, request.signal);
  const moved = new Set([...objects.keys(), ...before.keys()]);
  const unmarked = await unmarkedBelow(core, from, moved);
  using _ = await core.names.acquire(request.signal);
  const now = pendingBelow(core, from);
  if ([...now.keys()].some((key) => !moved.has(key))) return false;
  await noteCommitted(core, { before, now, objects }, request.signal);
  const moves = [...moved]
    .filter((key) => !isAbsent(core, key) && (objects.has(key) || now.has(key)))
    .map((key) => {
      const target = toKey(to + key.slice(from.length));
      return {
        from: key,
        to: target,
        object: objects.get(key),
        target: undefined,
        pending: now.get(key),
      };
    });
  const changes = await publisher.rename(moves);
  if (changes === undefined) return false;
  for (const record of unmarked) {
    const key = toKey(to + record.key.slice(from.length));
    changes.push({ put: "object", record: { ...record, key } }, { del: "object", key: record.key });
  }
  const touched = [from, to, ...moves.flatMap((one) => [one.from, one.to])];
  await publisher.journal(changes, touched, core.remember(request, {}));
  return true;
}

/**
 * What was pending may have come into the bucket since: then there is an object that the listing did not show. The freeze
 * holds back what would begin, so that a directory in which much is published comes to an end; a copy that the store is
 * at work on is not held back, and may take longer than a rename may wait.
 */
async function noteCommitted(
  core: Core,
  found: {
    before: ReadonlyMap<Key, unknown>;
    now: ReadonlyMap<Key, unknown>;
    objects: Map<Key, Found>;
  },
  signal: AbortSignal,
): Promise<void> {
  for (const [key, pending] of found.before) {
    if (found.now.get(key) === pending) continue;
    const object = await core.options.loader.object(key, signal);
    const known = await withAttributes(core, key, object);
    if (known !== undefined) found.objects.set(key, known);
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

function isAbsent(core: Core, key: Key): boolean {
  return pendingAt(core.options.publisher.find(key)) === "absent";
}

async function objectsBelow(core: Core, from: Key, signal: AbortSignal): Promise<Map<Key, Found>> {
  const { catalog, loader } = core.options;
  const objects = new Map<Key, Found>();
  for await (const { key, etag, size, storageClass } of loader.below(from, signal)) {
    if (objects.size >= OBJECTS_MAX)
      throw new KodomountError(
        "CrossDevice",
        `A directory of more than ${OBJECTS_MAX} objects is not renamed in one step`,
      );
    await assertReadable(core, { key, storageClass }, signal);
    objects.set(key, { etag, size });
  }
  for (const { key, etag, attributes } of await catalog.objectsBelow(from)) {
    const object = objects.get(key);
    if (object?.etag === etag) objects.set(key, { ...object, attributes });
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
