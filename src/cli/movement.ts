// Whether anything moves towards the store, and how fast. What stands still is said in the log: after 10 s, and each time
// it has lasted twice as long; once more when it moves again. What is decided here is pure; `Movement` looks once a second.

import type { Clock, Log } from "../base/mod.ts";
import { formatDuration, formatSize } from "../config/mod.ts";
import type { PendingStatus } from "../control/mod.ts";
import type { Trouble } from "../store/mod.ts";

/** What is looked at. */
export interface Look {
  /** Grows with everything that the store has taken: bytes, and changes of objects. */
  readonly moved: number;
  /** Bytes that have reached the store's side; they are movement as long as its answers are no failures. */
  readonly bytesCarried: number;
  /** Parts under way. */
  readonly inFlight: number;
  readonly trouble: Trouble | undefined;
  /** Asked only when nothing has moved since the last look. */
  readonly pending: () => readonly PendingStatus[];
}

export interface Standstill {
  readonly moved: number;
  readonly bytesCarried: number;
  /** When something has moved last, or was first waited for, milliseconds of the monotonic clock. */
  readonly since: number;
  /** How long it had lasted when it was last told, milliseconds; 0: not told. */
  readonly toldMs: number;
}

const TELL_AFTER_MS = 10_000;
const LOOK_MS = 1000;
/** Long enough to be steady, short enough to tell of now. */
const GOODPUT_MS = 20_000;

/** The state after one look, and the line for the log, if there is something to tell. `now`: of the monotonic clock. */
export function judgeMovement(
  before: Standstill,
  look: Look,
  now: number,
): { state: Standstill; line?: { level: "info" | "warn"; text: string } } {
  const lasted = now - before.since;
  const { moved, bytesCarried, trouble, inFlight } = look;
  const isCarried = trouble === undefined && bytesCarried !== before.bytesCarried;
  const moves = moved !== before.moved || isCarried;
  if (moves || !(inFlight > 0 || trouble !== undefined || look.pending().some(waitsForStore))) {
    const state = { moved, bytesCarried, since: now, toldMs: 0 };
    if (before.toldMs === 0) return { state };
    const what = moves ? "Something moves again" : "Nothing waits any more";
    return { state, line: { level: "info", text: `${what}, after ${formatDuration(lasted)}` } };
  }
  const state = { ...before, bytesCarried };
  if (lasted < Math.max(TELL_AFTER_MS, before.toldMs * 2)) return { state };
  const text = describeStandstill(look, lasted);
  return { state: { ...state, toldMs: lasted }, line: { level: "warn", text } };
}

function waitsForStore({ promised, state, waitsFor }: PendingStatus): boolean {
  return promised && state !== "parked" && waitsFor !== "writer" && waitsFor !== "rename";
}

function describeStandstill(look: Look, ms: number): string {
  const waiting = look.pending().filter(waitsForStore);
  const [first] = [...waiting].sort((a, b) => (a.since ?? 0) - (b.since ?? 0));
  const size = waiting.reduce((sum, each) => sum + each.size - each.bytesAcknowledged, 0);
  const files =
    first === undefined
      ? "no file waits"
      : `${waiting.length === 1 ? "1 file waits" : `${waiting.length} files wait`} (${formatSize(size)}), first ${JSON.stringify(first.path)}`;
  const error = look.trouble?.error ?? first?.error ?? "no request has failed so far";
  return `The store has acknowledged nothing for ${formatDuration(ms)}: ${files}; ${look.inFlight} parts are under way; ${error}`;
}

export class Movement {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #look: () => Look;
  #standstill: Standstill;
  /** One a look, the oldest first. */
  #samples: { readonly at: number; readonly bytes: number }[] = [];
  #cancel: () => void = () => undefined;

  constructor(options: { clock: Clock; log: Log; look: () => Look }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#look = options.look;
    const now = this.#clock.monotonic();
    const { moved, bytesCarried } = this.#look();
    this.#standstill = { moved, bytesCarried, since: now, toldMs: 0 };
    this.#samples = [{ at: now, bytes: bytesCarried }];
    this.#next();
  }

  /** Bytes a second that have reached the store's side lately. */
  get goodput(): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at === first.at) return 0;
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
  }

  stop(): void {
    this.#cancel();
  }

  #next(): void {
    this.#cancel = this.#clock.after(LOOK_MS, () => this.#tick());
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    const look = this.#look();
    this.#samples.push({ at: now, bytes: look.bytesCarried });
    this.#samples = this.#samples.filter(({ at }) => at >= now - GOODPUT_MS);
    const { state, line } = judgeMovement(this.#standstill, look, now);
    this.#standstill = state;
    if (line !== undefined) this.#log[line.level]({}, line.text);
    this.#next();
  }
}
