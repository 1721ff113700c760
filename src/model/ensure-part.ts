// One function for first send, retry, resume, re-run, rewrite and overwrite: what must be done so that an upload holds
// a sealed part.

import type { Etag, PartNumber } from "./ids.ts";
import type { Sealed } from "./save.ts";

/** What the upload's store has acknowledged for a part number. */
export interface Acknowledgement {
  readonly sha256: string;
  readonly size: number;
  readonly etag: Etag;
}

/** The object that this machine committed last under the key, with its parts' hashes cut by the same plan. */
export interface CopySource {
  readonly etag: Etag;
  readonly parts: readonly { readonly sha256: string; readonly size: number }[];
}

export type PartAction =
  | { readonly kind: "have" }
  | { readonly kind: "copy"; readonly etag: Etag }
  | { readonly kind: "send" };

/**
 * @param sealed the part as it shall be.
 * @param held what the upload holds at this number already, if anything.
 * @param source where the same bytes may be copied from within the store, if anywhere.
 */
export function ensurePart(
  partNumber: PartNumber,
  sealed: Sealed,
  held: Acknowledgement | undefined,
  source: CopySource | undefined,
): PartAction {
  if (held !== undefined && held.sha256 === sealed.sha256 && held.size === sealed.size)
    return { kind: "have" };
  const same = source?.parts[partNumber - 1];
  if (source !== undefined && same?.sha256 === sealed.sha256 && same.size === sealed.size)
    return { kind: "copy", etag: source.etag };
  return { kind: "send" };
}
