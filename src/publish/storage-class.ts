// Of which storage class an object is to be that this mount makes.

import {
  fromMetadata,
  isDirectoryKey,
  type Key,
  S_IFLNK,
  S_IFMT,
  STANDARD_CLASS,
} from "../model/mod.ts";
import type { ObjectHead } from "../store/mod.ts";
import type { Engine } from "./engine.ts";

/** Of a new object; undefined: the bucket's usual one, as of all directories and symbolic links, which are read to be followed. */
export function classOfNew(engine: Engine, key: Key, mode: number | undefined): string | undefined {
  if (isDirectoryKey(key) || ((mode ?? 0) & S_IFMT) === S_IFLNK) return undefined;
  return engine.storageClasses.of(key);
}

/**
 * Of an object's copy under another name: what is asked for under that name, unless somebody else has chosen its class; then,
 * and where nothing is asked for, the class that it has.
 */
export function classOfCopy(
  engine: Engine,
  { from, to, source }: { from: Key; to: Key; source: ObjectHead },
): string | undefined {
  const { mode } = fromMetadata(source.metadata);
  const own = source.storageClass === STANDARD_CLASS ? undefined : source.storageClass;
  const isByRule = (classOfNew(engine, from, mode) ?? STANDARD_CLASS) === (own ?? STANDARD_CLASS);
  return (isByRule ? classOfNew(engine, to, mode) : undefined) ?? own;
}
