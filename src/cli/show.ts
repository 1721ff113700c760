// What people read: status, pending files, what is waited for.

import { formatDuration, formatSize, formatSource } from "../config/mod.ts";
import type { MountStatus, PendingStatus, UploadStatus } from "../control/mod.ts";

/** Files of a list at most; the rest is counted. */
const SHOWN_MAX = 20;

/** A paragraph about one mount. `now`: milliseconds since the epoch. */
export function showStatus(status: MountStatus, now: number): string {
  const { source, dir, pid, since, spill, pending } = status;
  const how = [
    `close=${status.closeMode}`,
    ...(status.readOnly ? ["read-only"] : []),
    ...(status.mounted ? [] : ["unmounted, still publishing"]),
  ];
  const lines = [
    `${formatSource(source)} at ${dir} (${how.join(", ")})`,
    `  process   ${pid}, for ${formatDuration(now - since)}, version ${status.version}`,
    `  store     ${source.endpoint}, checks what it receives: ${CHECKS[status.payloadHash]}`,
    `  state     ${status.stateDir}, ${formatSize(spill.used)} of ${formatSize(spill.limit)} in use`,
    `  sent      ${formatSize(status.bytesAcknowledged)} acknowledged, ${status.inFlight} parts under way`,
    ...(status.failures === 0 ? [] : [`  failures  ${status.failures}: see kodomount.log`]),
    `  pending   ${pending.length === 0 ? "nothing" : counted(pending)}`,
    ...pending.slice(0, SHOWN_MAX).map((each) => `    ${showPending(each, now)}`),
    ...(pending.length > SHOWN_MAX ? [`    and ${pending.length - SHOWN_MAX} more`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

const CHECKS: Readonly<Record<MountStatus["payloadHash"], string>> = {
  verified: "yes",
  "not verified": "no",
  unknown: "not known",
};

function counted(pending: readonly PendingStatus[]): string {
  const counts = new Map<string, number>();
  for (const { state } of pending) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
}

function showPending(pending: PendingStatus, now: number): string {
  const { state, path, since, error } = pending;
  const words = [state.padEnd(11), printable(path), progress(pending)];
  if (since !== undefined) words.push(`for ${formatDuration(now - since)}`);
  if (error !== undefined) words.push(`(${printable(error)})`);
  return words.filter((word) => word !== "").join("  ");
}

function progress({ state, size, partsAcknowledged, partsTotal }: PendingStatus): string {
  if (state === "delete") return "";
  const parts = partsTotal > 1 ? `, ${partsAcknowledged} of ${partsTotal} parts` : "";
  return `${formatSize(size)}${parts}`;
}

/** A table of saves, each with the id that `uploads publish`, `drop` and `retry` take. */
export function showUploads(uploads: readonly UploadStatus[], now: number): string {
  return uploads.map((each) => `${each.save}  ${showPending(each, now)}\n`).join("");
}

/** One line about what is waited for; `short` without what changes all the time. */
export function showWaiting(status: MountStatus, short: boolean): string {
  const [first] = status.pending;
  const size = status.pending.reduce((sum, each) => sum + each.size, 0);
  const what = status.pending.length === 1 ? "1 file" : `${status.pending.length} files`;
  const line = `Waiting for ${what} (${formatSize(size)})`;
  if (first === undefined) return line;
  if (short) return `${line}: ${printable(first.path)}`;
  const error = first.error === undefined ? "" : ` (${printable(first.error)})`;
  return `${line}: ${printable(first.path)}, ${progress(first) || first.state}${error}`;
}

/** Names come from anywhere: control characters must not reach a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");
}
