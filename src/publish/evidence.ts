// What can be said of a save by looking at its upload or at the object under its key.

import { invariant } from "../base/mod.ts";
import { META_SAVE, type PartNumber, type Seen } from "../model/mod.ts";
import type { ObjectHead } from "../store/mod.ts";
import type { Save } from "./save.ts";
import type { Upload } from "./upload.ts";

/** The place of a closed save in the order of closes. */
export function orderOf(save: Save): number {
  const { state } = save.record;
  invariant("order" in state, `a ${state.kind} save has no place yet`);
  return state.order;
}

/** Whether the store has acknowledged the part as it is sealed, or as it was copied. */
export function isHeld(save: Save, upload: Upload, partNumber: PartNumber): boolean {
  const part = save.content.part(partNumber);
  const ack = upload.acks.get(partNumber);
  if (part.kind === "sealed") return ack?.sha256 === part.sha256 && ack.size === part.size;
  return (
    part.kind === "base" && ack !== undefined && ack.size === save.content.extent(partNumber).size
  );
}

/** Whether what HEAD shows was made by completing this upload. */
export function isOf(head: ObjectHead, save: Save, upload: Upload): boolean {
  return head.metadata[META_SAVE] === upload.record.token && head.size === save.content.size;
}

/** What HEAD shows, for `judge`. */
export function seen(head: ObjectHead | undefined): Seen {
  if (head === undefined) return { kind: "absent" };
  return { kind: "object", etag: head.etag, size: head.size, token: head.metadata[META_SAVE] };
}
