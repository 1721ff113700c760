// What `status --watch` draws, and `unmount` and `wait` while they wait: a pure function from status to lines.

import { formatDuration, formatSize, formatSource } from "../config/mod.ts";
import type { MountStatus, PendingStatus } from "../control/mod.ts";
import { mostTellingFirst, sayWaiting } from "./show.ts";
import { cutText, fitText, padText, printable, textWidth } from "./text-width.ts";

export interface DrawOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of the screen. */
  readonly columns: number;
  readonly rows: number;
}

const BAR_WIDTH = 20;
/** Narrower screens get no bars. */
const BAR_FROM_COLUMNS = 60;
const NAME_MIN = 12;
/** Of a file's name, where there is room: the rest says what it waits for. */
const NAME_SHARE = 0.4;

/** At most `rows` lines of at most `columns`: a few for each mount, then a line for each file, the most telling first. */
export function drawStatus(statuses: readonly MountStatus[], options: DrawOptions): string[] {
  const columns = Math.max(1, options.columns);
  const heads = statuses.map((status) => drawMount(status, options.now));
  const used = heads.reduce((sum, lines) => sum + lines.length, 0);
  let room = Math.max(0, options.rows - used);
  const lines: string[] = [];
  statuses.forEach((status, index) => {
    const share = Math.floor(room / (statuses.length - index));
    const files = drawFiles(status, { ...options, columns, rows: share });
    room -= files.length;
    lines.push(...(heads[index] ?? []), ...files);
  });
  return lines.slice(0, Math.max(1, options.rows)).map((line) => cutText(line, columns));
}

function drawMount(status: MountStatus, now: number): string[] {
  const { source, dir, pending, goodput, trouble } = status;
  const waiting = pending.filter(isOnItsWay);
  const left = waiting.reduce((sum, each) => sum + bytesLeft(each), 0);
  const words = [
    `${formatSource(source)} at ${dir}`,
    ...(status.mounted ? [] : ["unmounted, still publishing"]),
    waiting.length === 0
      ? "nothing on its way"
      : `${count(waiting.length)}, ${formatSize(left)} left`,
    `${formatSize(Math.round(goodput))}/s`,
    ...(left > 0 && goodput > 0 ? [`${formatDuration((left / goodput) * 1000)} left`] : []),
  ];
  const lines = [printable(words.join(", "))];
  if (trouble !== undefined)
    lines.push(
      `  the store has not answered well for ${formatDuration(now - trouble.since)}: ${printable(trouble.error)}`,
    );
  return lines;
}

function drawFiles(status: MountStatus, options: DrawOptions): string[] {
  const { pending } = status;
  if (pending.length === 0 || options.rows === 0) return [];
  const sorted = mostTellingFirst(pending);
  const shown = sorted.length <= options.rows ? sorted.length : options.rows - 1;
  const lines = sorted.slice(0, shown).map((each) => drawFile(each, options));
  const more = sorted.length - shown;
  if (more > 0) lines.push(`  and ${more.toLocaleString("en")} more`);
  return lines;
}

function drawFile(pending: PendingStatus, options: DrawOptions): string {
  const { columns, now } = options;
  const bar = columns < BAR_FROM_COLUMNS ? "" : `${drawBarOf(pending)} `;
  const name = printable(pending.path);
  const room = columns - textWidth(bar) - 2;
  const nameWidth = Math.max(Math.min(NAME_MIN, room), Math.floor(room * NAME_SHARE));
  const what = `${formatSize(pending.size)}  ${sayWaiting(pending, now)}`;
  return `${bar}${padText(fitText(name, nameWidth), nameWidth)}  ${what}`;
}

function drawBarOf(pending: PendingStatus): string {
  if (pending.state === "delete" || pending.state === "copy")
    return `[${padText(pending.state, BAR_WIDTH)}]      `;
  return drawBar(pending.size === 0 ? 0 : Math.min(1, pending.bytesAcknowledged / pending.size));
}

/** `[########------------]  42 %` of a share from 0 to 1. */
export function drawBar(share: number): string {
  // Full only when all is there.
  const filled = Math.floor(share * BAR_WIDTH);
  const bar = "#".repeat(filled) + "-".repeat(BAR_WIDTH - filled);
  return `[${bar}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}

function isOnItsWay({ promised, state }: PendingStatus): boolean {
  return promised && state !== "parked";
}

function bytesLeft({ size, bytesAcknowledged, state }: PendingStatus): number {
  return state === "copy" || state === "delete" ? 0 : Math.max(0, size - bytesAcknowledged);
}

/** `2 files` */
export function count(files: number): string {
  return files === 1 ? "1 file" : `${files.toLocaleString("en")} files`;
}
