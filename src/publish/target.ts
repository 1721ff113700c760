// What a part of an upload shall be.

import type { Etag, Key, Sealed } from "../model/mod.ts";

/** A part in a form that can be sent: sealed in the spill, or an unchanged range of the object underneath. */
export type Target =
  | Sealed
  | {
      readonly kind: "base";
      readonly key: Key;
      readonly etag: Etag;
      readonly offset: number;
      readonly size: number;
    };

/** What tells two targets apart. A copied range has no hash of its own: the source's version and range stand for it. */
export function identityOf(target: Target): string {
  return target.kind === "sealed"
    ? target.sha256
    : `copy:${target.etag}:${target.offset}+${target.size}`;
}
