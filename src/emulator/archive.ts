// Objects of an archive class: not readable until they were restored, which takes its time.

import { type Call, receiveText } from "./call.ts";
import type { ObjectRecord } from "./objects.ts";
import { Refusal } from "./refusal.ts";
import type { Reply } from "./reply.ts";
import { readXml, textOf } from "./xml.ts";

/** When a restored copy is there, and until when; milliseconds since the epoch. */
export interface Restored {
  readonly readyMs: number;
  readonly untilMs: number;
}

const ARCHIVE_CLASSES = ["GLACIER", "DEEP_ARCHIVE"];
const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS_MAX = 365;

/** @throws `InvalidObjectState` when the bytes of the object are not at hand. */
export function assertReadable({ storageClass, restored }: ObjectRecord, nowMs: number): void {
  if (!ARCHIVE_CLASSES.includes(storageClass)) return;
  if (restored !== undefined && restored.readyMs <= nowMs && nowMs < restored.untilMs) return;
  throw new Refusal(
    "InvalidObjectState",
    "The operation is not valid for the object's storage class",
  );
}

/** What HEAD tells of a restoring. */
export function restoreHeaders(record: ObjectRecord, nowMs: number): Record<string, string> {
  const { restored } = record;
  if (restored === undefined || nowMs >= restored.untilMs) return {};
  const until = new Date(restored.untilMs).toUTCString();
  const header =
    restored.readyMs > nowMs
      ? 'ongoing-request="true"'
      : `ongoing-request="false", expiry-date="${until}"`;
  return { "x-amz-restore": header };
}

export async function restoreObject(call: Call): Promise<Reply> {
  const { disk, target, clock, limits } = call;
  const content = readXml("RestoreRequest", await receiveText(call));
  const days = Number(textOf(content, "Days"));
  if (!Number.isInteger(days) || days < 1 || days > DAYS_MAX)
    throw new Refusal("InvalidArgument", `Days must be from 1 to ${DAYS_MAX}: received ${days}`);
  const bucket = disk.bucket(target.bucket);
  return bucket.change(async () => {
    const record = bucket.objects.find(target.key);
    if (record === undefined) throw new Refusal("NoSuchKey", "The object does not exist");
    if (!ARCHIVE_CLASSES.includes(record.storageClass))
      throw new Refusal("InvalidObjectState", "The object is of a class that is not restored");
    const now = clock.now();
    const { restored } = record;
    const isThere = restored !== undefined && now < restored.untilMs;
    if (isThere && restored.readyMs > now)
      throw new Refusal("RestoreAlreadyInProgress", "Object restore is already in progress");
    const readyMs = isThere ? restored.readyMs : now + limits.restoreMs;
    await bucket.objects.note({
      ...record,
      restored: { readyMs, untilMs: Math.max(now, readyMs) + days * DAY_MS },
    });
    return { status: isThere ? 200 : 202 };
  });
}
