// What people read: status, pending files, what is waited for.

import { formatDuration, formatSize, formatSource } from "../config/mod.ts";
import type { MountStatus, PendingStatus, UploadStatus } from "../control/mod.ts";
import { printable } from "./text-width.ts";

/** Files of a list at most; the rest is counted. */
const SHOWN_MAX = 20;

/** A paragraph about one mount. `now`: milliseconds since the epoch. */
export function showStatus(status: MountStatus, now: number): string {
  const { source, dir, pid, since, spill, pending, trouble } = status;
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
    `  sent      ${formatSize(status.bytesAcknowledged)} acknowledged, ${status.inFlight} parts under way, ${formatSize(Math.round(status.goodput))}/s`,
    ...(trouble === undefined
      ? []
      : [`  trouble   for ${formatDuration(now - trouble.since)}: ${printable(trouble.error)}`]),
    ...(status.failures === 0 ? [] : [`  failures  ${status.failures}: see kodomount.log`]),
    `  pending   ${pending.length === 0 ? "nothing" : counted(pending)}`,
    ...mostTellingFirst(pending)
      .slice(0, SHOWN_MAX)
      .map((each) => `    ${showPending(each, now)}`),
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

/** Of thousands only some are shown: what needs somebody must be among them. */
export function mostTellingFirst(pending: readonly PendingStatus[]): PendingStatus[] {
  return [...pending].sort((a, b) => rank(a) - rank(b) || (a.since ?? 0) - (b.since ?? 0));
}

/** What needs somebody first, then what is in trouble, what moves, what waits, what is being written. */
function rank({ state, error, bytesAcknowledged, waitsFor }: PendingStatus): number {
  if (state === "parked" || state === "refused") return 0;
  if (state === "interrupted") return 5;
  if (error !== undefined) return 1;
  if (waitsFor === "answer" || bytesAcknowledged > 0) return 2;
  return state === "open" ? 4 : 3;
}

function showPending(pending: PendingStatus, now: number): string {
  const { state, path } = pending;
  const words = [state.padEnd(11), printable(path), progress(pending), sayWaiting(pending, now)];
  return words.filter((word) => word !== "").join("  ");
}

function progress({ state, size, partsAcknowledged, partsTotal }: PendingStatus): string {
  if (state === "delete") return "";
  const parts = partsTotal > 1 ? `, ${partsAcknowledged} of ${partsTotal} parts` : "";
  return `${formatSize(size)}${parts}`;
}

/** What it waits for, since when, and what went wrong. */
export function sayWaiting(pending: PendingStatus, now: number): string {
  const { since, error } = pending;
  const long = since === undefined ? undefined : formatDuration(now - since);
  const words = [sayWhat(pending, long)];
  if (error !== undefined) words.push(`(${printable(error)})`);
  return words.join(" ");
}

function sayWhat({ state, why, waitsFor }: PendingStatus, long: string | undefined): string {
  if (state === "refused") return "has failed, and its next write or close says so";
  const ago = long === undefined ? "" : ` ${long} ago`;
  if (state === "interrupted")
    return `its writer died${ago}: save it again, or 'kodomount uploads publish' or 'drop'`;
  if (state === "parked" && why === "Conflict")
    return `closed${ago}, and another client has written it since: 'kodomount uploads resolve --keep mine' or 'theirs'`;
  if (state === "parked")
    return `closed${ago}, and the store refuses it: mend that, then 'kodomount uploads retry'`;
  return long === undefined ? WAITS[waitsFor] : `${WAITS[waitsFor]} for ${long}`;
}

const WAITS: Readonly<Record<PendingStatus["waitsFor"], string>> = {
  writer: "is being written",
  rename: "waits for its final name",
  bytes: "waits for the store to take it",
  order: "waits for what was closed before it",
  answer: "waits for the store to say that it is complete",
  copies: "waits until it is copied",
  store: "waits for the store",
  operator: "is kept",
};
/** A table of saves, each with the id that the orders of `uploads` take. */
export function showUploads(uploads: readonly UploadStatus[], now: number): string {
  return uploads.map((each) => `${each.save}  ${showPending(each, now)}\n`).join("");
}

/** One line about what is waited for, without what changes all the time. */
export function showWaiting({ pending }: MountStatus): string {
  const [first] = pending;
  const size = pending.reduce((sum, each) => sum + each.size, 0);
  const what = pending.length === 1 ? "1 file" : `${pending.length} files`;
  const line = `Waiting for ${what} (${formatSize(size)})`;
  return first === undefined ? line : `${line}: ${printable(first.path)}`;
}
