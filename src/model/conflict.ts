// Before something old is published, one look at the bucket: recovery must never overwrite newer work of another client.

import type { Etag } from "./ids.ts";
import type { Base } from "./save.ts";

/** What HEAD says of the key. */
export type Seen =
  | { readonly kind: "absent" }
  | {
      readonly kind: "object";
      readonly etag: Etag;
      readonly size: number;
      readonly token: string | undefined;
    };

export type Verdict = "ours" | "publish" | "conflict";

/**
 * @param seen the object at the key now.
 * @param expected what a completed publication would show: one of these tokens, and this size.
 * @param base what the save was to replace.
 * @param known ETag of what this machine committed last under the key, if anything.
 */
export function judge(
  seen: Seen,
  expected: { tokens: readonly string[]; size: number },
  base: Base,
  known: Etag | undefined,
): Verdict {
  if (seen.kind === "absent") return "publish";
  if (
    seen.token !== undefined &&
    expected.tokens.includes(seen.token) &&
    seen.size === expected.size
  )
    return "ours";
  if (base.kind === "object" && seen.etag === base.etag) return "publish";
  if (known !== undefined && seen.etag === known) return "publish";
  return "conflict";
}
