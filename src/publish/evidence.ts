// What can be said of a save by looking at its upload or at the object under its key.

import { invariant } from "../base/mod.ts";
import type { Change, UploadRecord } from "../catalog/mod.ts";
import {
  isPromised,
  META_SAVE,
  type PartNumber,
  type SaveRecord,
  type Seen,
} from "../model/mod.ts";
import type { ObjectHead } from "../store/mod.ts";
import type { Save } from "./save.ts";
import type { Slot } from "./slot.ts";
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

/** What the metadata of an object may say that was made of the save: by one PutObject, or by completing an upload. */
export function tokensOf(
  { id, state, tokens = [] }: SaveRecord,
  uploads: readonly UploadRecord[],
): string[] {
  const completing = state.kind === "completing" ? [state.token] : [];
  return [id, ...uploads.map(({ token }) => token), ...completing, ...tokens];
}

/** An upload of the closed save of the slot is gone: its completing request may be why, and may even land later. */
export function rememberToken(slot: Slot, { record: { token } }: Upload): Change[] {
  const { closed } = slot;
  if (closed === undefined || !isPromised(closed.record.state)) return [];
  closed.record = { ...closed.record, tokens: [...(closed.record.tokens ?? []), token] };
  slot.look = true;
  return [{ put: "save", record: closed.record }];
}

/** Whether what HEAD shows was made of the save. */
export function isOf(head: ObjectHead, save: Save, upload: Upload): boolean {
  const token = head.metadata[META_SAVE];
  const isOurs = token !== undefined && tokensOf(save.record, [upload.record]).includes(token);
  return isOurs && head.size === save.content.size;
}

/** What HEAD shows, for `judge`. */
export function seen(head: ObjectHead | undefined): Seen {
  if (head === undefined) return { kind: "absent" };
  return { kind: "object", etag: head.etag, size: head.size, token: head.metadata[META_SAVE] };
}
