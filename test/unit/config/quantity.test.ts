// Sizes and durations, as people write and read them.

import { describe, expect, it } from "vitest";
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
} from "../../../src/config/quantity.ts";

describe("parseSize", () => {
  it.each([
    ["1", 1],
    ["1048576", 1_048_576],
    ["8M", 8 * 1024 ** 2],
    ["8m", 8 * 1024 ** 2],
    ["8MiB", 8 * 1024 ** 2],
    ["8 MB", 8 * 1024 ** 2],
    ["1.5G", 1.5 * 1024 ** 3],
    ["2T", 2 * 1024 ** 4],
  ])("takes %s", (text, bytes) => {
    expect(parseSize("'--spill-limit'", text)).toBe(bytes);
  });

  it.each(["", "M", "1P", "-1M", "1e9", "0x10", "0.1", "NaN", "9999999999T"])(
    "refuses %j",
    (text) => {
      expect(() => parseSize("'--spill-limit'", text)).toThrow(/^Cannot use '--spill-limit' /);
    },
  );
});

describe("parseDuration", () => {
  it.each([
    ["2s", 2000],
    ["2", 2000],
    ["0", 0],
    ["500ms", 500],
    ["1.5m", 90_000],
    ["2min", 120_000],
    ["1h", 3_600_000],
  ])("takes %s", (text, ms) => {
    expect(parseDuration("'--close-lag'", text)).toBe(ms);
  });

  it.each(["", "s", "1d", "-1s", "1 2s", "Infinity"])("refuses %j", (text) => {
    expect(() => parseDuration("'--close-lag'", text)).toThrow(/^Cannot use '--close-lag' /);
  });
});

describe("formatSize and formatDuration", () => {
  it.each([
    [0, "0 bytes"],
    [1023, "1023 bytes"],
    [1536, "1.5 KiB"],
    [8 * 1024 ** 2, "8.0 MiB"],
    [2048 * 1024 ** 4, "2048.0 TiB"],
  ])("writes %d bytes", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it.each([
    [-5, "0 s"],
    [59_999, "59 s"],
    [61_000, "1 min 1 s"],
    [7_500_000, "2 h 5 min"],
    [90_000_000, "1 d 1 h"],
  ])("writes %d ms", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
