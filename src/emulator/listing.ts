// One page of ListObjectsV2, as a pure function of the keys.

import type { SortedKeys } from "./sorted-keys.ts";

export interface ListingRequest {
  readonly prefix: string;
  /** "" folds nothing. */
  readonly delimiter: string;
  /** Only keys behind this one. */
  readonly after: string;
  readonly max: number;
}

export interface Listing {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  /** `after` for the next page; undefined on the last. */
  readonly next: string | undefined;
}

/**
 * Keys that contain the delimiter behind the prefix are folded into prefixes. A prefix on which a page ends comes again on
 * the next one when more keys are folded into it: Kodo's listings repeat prefixes, and clients must bear it.
 */
export function listPage(keys: SortedKeys, request: ListingRequest): Listing {
  const { prefix, delimiter, after, max } = request;
  const found: string[] = [];
  const prefixes = new Set<string>();
  let last = after;
  if (max === 0) return { keys: [], prefixes: [], next: undefined };
  // Behind `after`, or from the prefix on: whichever is later; `after` may lie before the prefix.
  for (const key of keys.from(laterOf(prefix, after), laterOf(prefix, after) === after)) {
    if (!key.startsWith(prefix)) break;
    if (found.length + prefixes.size === max)
      return { keys: found, prefixes: [...prefixes], next: last };
    const folded = foldedInto(key, prefix, delimiter);
    if (folded === undefined) found.push(key);
    else prefixes.add(folded);
    last = key;
  }
  return { keys: found, prefixes: [...prefixes], next: undefined };
}

function foldedInto(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "") return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

function laterOf(a: string, b: string): string {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0 ? a : b;
}
