// Sizes, durations and counts as people write them.

import { badValue } from "./bad-value.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};
const SIZE = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i;

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  "": 1000,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?$/i;

/**
 * Bytes of `512M`, `1.5G`, `8MiB` or `1048576`. Suffixes are powers of 1024.
 * @throws `Config` naming `what` when `text` is no size of at least one byte.
 */
export function parseSize(what: string, text: string): number {
  const [, digits, unit] = SIZE.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(digits) * (UNITS[(unit ?? "").toUpperCase()] ?? Number.NaN));
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw badValue(what, text, "it must be a size such as 8M, 1.5G or 1048576");
}

/**
 * Milliseconds of `2s`, `500ms`, `1.5m`, `1h`, or `2` (seconds).
 * @throws `Config` naming `what` when `text` is no duration; 0 is one.
 */
export function parseDuration(what: string, text: string): number {
  const [, digits, unit] = DURATION.exec(text.trim()) ?? [];
  const ms = Math.round(Number(digits) * (MILLISECONDS[(unit ?? "").toLowerCase()] ?? Number.NaN));
  if (Number.isSafeInteger(ms)) return ms;
  throw badValue(what, text, "it must be a duration such as 2s, 500ms or 1m");
}

/** A whole number in a range. @throws `Config` naming `what`. */
export function parseCount(
  what: string,
  text: string,
  { min, max }: { min: number; max: number },
): number {
  const count = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (count >= min && count <= max) return count;
  throw badValue(what, text, `it must be a whole number from ${min} to ${max}`);
}

/** `1.5 GiB`: what a person reads. */
export function formatSize(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${at === 0 ? value : value.toFixed(1)} ${units[at]}`;
}

/** `2 h 3 min`, `12 s`: what a person reads. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24
    ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
