// How many connections pay: a rule without effects, fed with what was observed. Where packets are lost at random a
// connection has its own limit, and the link is filled by their number; where the link is full, more of them only cost
// what a kill throws away. So the number is doubled as long as that makes the acknowledged bytes grow.

import { NEAR_MS } from "../store/mod.ts";

export const CONNECTIONS_MAX = 256;
const CONNECTIONS_MIN = 4;
/** Near stores need no more, and the parts in flight are what a kill costs. */
const CONNECTIONS_NEAR = 8;
/** On a link of 200 Mbit/s with 1 % loss a start at 8 costs 14 s until the link is full. */
const CONNECTIONS_FAR = 32;
/** After a change the new connections need this long to get going, and ten round trips. */
const SETTLE_MS = 1000;
const SETTLE_TRIPS = 10;
const SAMPLE_MS = 2000;
/** The start of many new connections looks like growth where round trips are long: there it is looked at for longer, and again sooner. */
const LONG_TRIP_MS = 100;
const LONG_SAMPLE_MS = 3000;
const HOLD_MS = 20_000;
const LONG_HOLD_MS = 10_000;
/** Of the growth that the number promises so much must come for the next doubling, */
const SHARE_TO_GROW = 0.5;
/** and so much for keeping it. What a number measures at first is too much, since connections begin faster than they go on. */
const SHARE_TO_KEEP = 0.25;
/** Half of the connections were lost at once, and not even a quarter of them had brought a part through before. */
const WAVE_SHARE = 0.5;
const GAIN_SHARE = 0.25;
/** So long nothing is tried after that: whether parts get through shows only at the next losses. */
const WAVE_HOLD_MS = 60_000;

/** Everything counts from the start, but `at` (milliseconds that only grow) and what is now. */
export interface Observed {
  readonly at: number;
  /** Bytes that the peers' kernels have acknowledged. */
  readonly bytes: number;
  /** Parts that the store has acknowledged. */
  readonly parts: number;
  /** Attempts that ended with their connection. */
  readonly lost: number;
  /** Connections in use now. */
  readonly inUse: number;
  /** The shortest time that a connection took to open, milliseconds; undefined: none has opened yet. */
  readonly tripMs: number | undefined;
  /** Their congestion control takes no loss for a full link, so a few of them fill it. */
  readonly isLossTolerant: boolean;
}

/** What a number of connections has carried, bytes a millisecond. */
interface Base {
  readonly connections: number;
  readonly rate: number;
}

type Phase =
  /** Nothing is known of the link yet. */
  | { readonly kind: "start" }
  | { readonly kind: "settle"; readonly until: number; readonly base: Base | undefined }
  | { readonly kind: "sample"; readonly from: Observed; readonly base: Base | undefined }
  | { readonly kind: "hold"; readonly until: number };

export interface Rule {
  /** INVARIANT: from `CONNECTIONS_MIN` to `CONNECTIONS_MAX`. */
  readonly connections: number;
  readonly phase: Phase;
  readonly last: Observed | undefined;
  /** As of the last time that many connections were lost. */
  readonly wave: { readonly parts: number; readonly lost: number };
}

export const FIRST_RULE: Rule = {
  connections: CONNECTIONS_NEAR,
  phase: { kind: "start" },
  last: undefined,
  wave: { parts: 0, lost: 0 },
};

/** The rule after the next look, about twice a second. */
export function observe(rule: Rule, seen: Observed): Rule {
  const next = { ...rule, last: seen };
  if (rule.phase.kind === "start") return begin(next, seen);
  const lost = seen.lost - rule.wave.lost;
  if (lost >= Math.max(2, rule.connections * WAVE_SHARE)) return afterWave(next, seen);
  const { last } = rule;
  if (last === undefined || seen.bytes === last.bytes)
    return { ...next, phase: frozen(rule.phase, seen, last) };
  return { ...next, ...moved(rule, seen) };
}

function begin(rule: Rule, seen: Observed): Rule {
  if (seen.tripMs === undefined) return rule;
  const isNear = seen.tripMs < NEAR_MS || seen.isLossTolerant;
  const connections = isNear ? CONNECTIONS_NEAR : CONNECTIONS_FAR;
  return { ...rule, connections, phase: settle(seen, undefined) };
}

/** Parts that die before they are through only take the link from each other: fewer of them get through. */
function afterWave(rule: Rule, seen: Observed): Rule {
  const gained = seen.parts - rule.wave.parts;
  const wave = { parts: seen.parts, lost: seen.lost };
  if (gained >= rule.connections * GAIN_SHARE)
    return { ...rule, wave, phase: restarted(rule.phase, seen) };
  const connections = Math.max(CONNECTIONS_MIN, Math.floor(rule.connections / 2));
  return { ...rule, wave, connections, phase: { kind: "hold", until: seen.at + WAVE_HOLD_MS } };
}

/** In an outage nothing is learned, and no time goes by: 0 is not less than 0, which would look like growth. */
function frozen(phase: Phase, seen: Observed, last: Observed | undefined): Phase {
  if (phase.kind !== "hold") return restarted(phase, seen);
  return { ...phase, until: phase.until + seen.at - (last?.at ?? seen.at) };
}

/** What was measured up to now is worth nothing. */
function restarted(phase: Phase, seen: Observed): Phase {
  return "base" in phase ? settle(seen, phase.base) : phase;
}

function moved(rule: Rule, seen: Observed): Pick<Rule, "connections" | "phase"> {
  const { connections, phase } = rule;
  if (phase.kind === "hold")
    return {
      connections,
      phase: seen.at < phase.until ? phase : { kind: "sample", from: seen, base: undefined },
    };
  // With fewer in use than allowed the number is not what limits.
  if (phase.kind === "start" || seen.inUse < connections)
    return { connections, phase: restarted(phase, seen) };
  if (phase.kind === "settle")
    return {
      connections,
      phase: seen.at < phase.until ? phase : { kind: "sample", from: seen, base: phase.base },
    };
  const { from, base } = phase;
  const elapsed = seen.at - from.at;
  if (elapsed < (isLong(seen) ? LONG_SAMPLE_MS : SAMPLE_MS)) return { connections, phase };
  const rate = (seen.bytes - from.bytes) / elapsed;
  const share = base === undefined ? 1 : shareOf(base, { connections, rate });
  if (base !== undefined && share < SHARE_TO_KEEP)
    return { connections: base.connections, phase: hold(seen) };
  if (share < SHARE_TO_GROW || connections === CONNECTIONS_MAX)
    return { connections, phase: hold(seen) };
  return {
    connections: Math.min(CONNECTIONS_MAX, connections * 2),
    phase: settle(seen, { connections, rate }),
  };
}

/** How much of the growth that is promised by the number has come: 1 is all of it. */
function shareOf(base: Base, now: Base): number {
  return (now.rate / base.rate - 1) / (now.connections / base.connections - 1);
}

function settle(seen: Observed, base: Base | undefined): Phase {
  const ms = Math.max(SETTLE_MS, SETTLE_TRIPS * (seen.tripMs ?? 0));
  return { kind: "settle", until: seen.at + ms, base };
}

function hold(seen: Observed): Phase {
  return { kind: "hold", until: seen.at + (isLong(seen) ? LONG_HOLD_MS : HOLD_MS) };
}

function isLong({ tripMs }: Observed): boolean {
  return (tripMs ?? 0) > LONG_TRIP_MS;
}
