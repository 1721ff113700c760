// What the kernel's page cache may keep of a file that is opened.

import type { Node } from "./tree.ts";
import type { Opened, OpenFlags } from "./types.ts";
import { type Current, objectOf } from "./view.ts";

/** Writers bypass the page cache; pages of a clean object are kept while its version is the same. */
export function cacheMode(
  node: Node,
  flags: OpenFlags,
  current: Current | undefined,
): Opened["cache"] {
  if (flags.write) return "direct";
  const etag = current === undefined ? undefined : objectOf(current)?.etag;
  const same = etag !== undefined && node.cachedEtag === etag;
  node.cachedEtag = etag;
  return same ? "keep" : "fresh";
}
