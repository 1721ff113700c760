// What is drawn of a status: bars, what it waits for, and never more or wider lines than the screen has.

import { describe, expect, it } from "vitest";
import { drawStatus } from "../../../src/cli/draw.ts";
import { fitText, printable, textWidth } from "../../../src/cli/text-width.ts";
import type { MountStatus, PendingStatus } from "../../../src/control/mod.ts";
import { pending } from "./fake-mount.ts";

const MIB = 1024 ** 2;
const NOW = 1_000_000;

function status(files: PendingStatus[], changes: Partial<MountStatus> = {}): MountStatus {
  return {
    pid: 1,
    version: "0",
    source: { endpoint: "http://x", bucket: "models", prefix: "" },
    dir: "/mnt",
    stateDir: "/state",
    since: 0,
    closeMode: "commit",
    readOnly: false,
    payloadHash: "verified",
    mounted: true,
    spill: { used: 0, limit: 1 },
    failures: 0,
    inFlight: 0,
    bytesAcknowledged: 0,
    goodput: 2 * MIB,
    pending: files,
    ...changes,
  };
}

const size = { now: NOW, columns: 120, rows: 20 };

describe("drawStatus()", () => {
  it("draws a bar for each file, with speed and time left", () => {
    const half = pending({ path: "half", bytesAcknowledged: 12 * MIB, since: NOW - 5000 });
    expect(drawStatus([status([half])], size)).toEqual([
      "s3://models at /mnt, 1 file, 12.0 MiB left, 2.0 MiB/s, 6 s left",
      `[##########----------]  50 % ${"half".padEnd(35)}  24.0 MiB  waits for the store to take it for 5 s`,
    ]);
    expect(drawStatus([status([half])], { ...size, columns: 90 })[1]).toMatch(
      / 24\.0 MiB {2}waits for the store to ta…$/,
    );
  });

  it("is full only when all is there", () => {
    const almost = pending({ path: "a", size: 1000 * MIB, bytesAcknowledged: 1000 * MIB - 1 });
    const all = pending({ path: "a", bytesAcknowledged: 24 * MIB });
    expect(drawStatus([status([almost])], size)[1]).toMatch(/^\[#{19}-\] {2}99 %/);
    expect(drawStatus([status([all])], size)[1]).toMatch(/^\[#{20}\] 100 %/);
    expect(
      drawStatus([status([pending({ path: "a", size: 0, bytesAcknowledged: 0 })])], size)[1],
    ).toMatch(/^\[-{20}\] {3}0 %/);
  });

  it("puts first what needs somebody, then what is in trouble, then what moves", () => {
    const files = [
      pending({ path: "written", state: "open", waitsFor: "writer", bytesAcknowledged: 0 }),
      pending({ path: "waits", bytesAcknowledged: 0 }),
      pending({ path: "moves" }),
      pending({ path: "fails", error: "503" }),
      pending({ path: "parked", state: "parked", waitsFor: "operator" }),
    ];
    const text = drawStatus([status(files)], size).join("\n");
    const places = ["parked", "fails", "moves", "waits", "written"].map((name) =>
      text.indexOf(`% ${name}`),
    );
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
  });

  it("says since when the store fails", () => {
    const trouble = { since: NOW - 12_000, error: "connect\nECONNREFUSED" };
    expect(drawStatus([status([], { trouble })], size)[1]).toBe(
      "  the store has not answered well for 12 s: connect\\nECONNREFUSED",
    );
  });

  it("shows of 10,000 files as many as there is room for, and counts the rest", () => {
    const files = Array.from({ length: 10_000 }, (_, index) => pending({ path: `f${index}` }));
    const lines = drawStatus([status(files)], { ...size, rows: 12 });
    expect(lines).toHaveLength(12);
    expect(lines[0]).toContain("10,000 files");
    expect(lines.at(-1)).toBe("  and 9,990 more");
    const two = drawStatus([status(files), status(files.slice(0, 3))], { ...size, rows: 12 });
    expect(two).toHaveLength(10);
    expect(two[5]).toBe("  and 9,996 more");
  });

  it.each([1, 10, 40, 59, 60, 80, 200])("stays within %i columns whatever the names", (columns) => {
    const names = [
      "数据/模型-检查点.safetensors".repeat(5),
      "👩‍👩‍👧👍🏽.pt",
      "e\u0301".repeat(90),
      "a\x1b[31mb",
    ];
    const files = names.map((path) => pending({ path, error: "失败".repeat(50) }));
    for (const rows of [1, 3, 10]) {
      const lines = drawStatus([status(files)], { now: NOW, columns, rows });
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) {
        expect(textWidth(line)).toBeLessThanOrEqual(columns);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
        expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      }
    }
  });

  it("keeps columns straight beside wide names", () => {
    const files = [pending({ path: "模型.pt" }), pending({ path: "model.pt" })];
    const [, wide = "", plain = ""] = drawStatus([status(files)], size);
    const at = (line: string): number => textWidth(line.slice(0, line.indexOf("24.0 MiB")));
    expect(at(wide)).toBe(at(plain));
  });
});

describe("text on a screen", () => {
  it.each([
    ["abc", 3],
    ["模型", 4],
    ["e\u0301", 1],
    ["👍", 2],
    ["", 0],
  ])("textWidth() of %j is %i", (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  it("fitText() leaves out the middle", () => {
    expect(fitText("checkpoint-000123.pt", 11)).toBe("check…23.pt");
    expect(fitText("short", 5)).toBe("short");
    expect(fitText("模型模型模型", 5)).toBe("模…型");
    expect(fitText("abc", 1)).toBe("…");
    expect(fitText("abc", 0)).toBe("");
  });

  it("printable() escapes what would act on a terminal", () => {
    expect(printable("a\nb\t\x1b[2J\x7f\u009b\u202e\u2028")).toBe(
      "a\\nb\\t\\x1b[2J\\x7f\\x9b\\u202e\\u2028",
    );
  });
});
