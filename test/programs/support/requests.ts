// Counts of the requests that change a bucket, and the tables of what they must be (`requests.json` here and in `python/`),
// rewritten by a run with KODOMOUNT_PIN=1.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { OperationKind, RequestEntry } from "../../../src/emulator/mod.ts";

/** Cases in Python have a table of their own. */
function tableOf(name: string): string {
  const file = name.startsWith("python ") ? "../python/requests.json" : "../requests.json";
  return fileURLToPath(new URL(file, import.meta.url));
}

const CHANGES = [
  "PutObject",
  "CopyObject",
  "DeleteObject",
  "DeleteObjects",
  "CreateMultipartUpload",
  "UploadPart",
  "UploadPartCopy",
  "CompleteMultipartUpload",
  "AbortMultipartUpload",
] as const satisfies readonly OperationKind[];

type Change = (typeof CHANGES)[number];

/** Requests by kind; kinds that did not occur are absent. */
export type Counts = Readonly<Partial<Record<Change, number>>>;
/** How many there must be, or the least and the most. */
export type Pinned = Readonly<Partial<Record<Change, number | readonly [number, number]>>>;

function isChange(kind: OperationKind): kind is Change {
  return (CHANGES as readonly OperationKind[]).includes(kind);
}

export function changesOf(requests: readonly RequestEntry[]): RequestEntry[] {
  return requests.filter(({ kind }) => isChange(kind));
}

export function countsOf(requests: readonly RequestEntry[]): Counts {
  const counts: Partial<Record<Change, number>> = {};
  for (const kind of CHANGES) {
    const count = requests.filter((entry) => entry.kind === kind).length;
    if (count > 0) counts[kind] = count;
  }
  return counts;
}

/** Bytes of contents on their way to the store. */
export function bytesUpOf(requests: readonly RequestEntry[]): number {
  return requests
    .filter(({ kind }) => kind === "PutObject" || kind === "UploadPart")
    .reduce((sum, { bytesIn }) => sum + bytesIn, 0);
}

function readTable(file: string): Record<string, Pinned> {
  if (!existsSync(file)) return {};
  return JSON.parse(readFileSync(file, "utf8")) as Record<string, Pinned>;
}

export function isRange(pinned: Pinned): boolean {
  return Object.values(pinned).some((value) => typeof value !== "number");
}

/** What is pinned for a name; with KODOMOUNT_PIN=1 it is made to fit what was counted first. */
export function pinnedFor(name: string, counts: Counts): Pinned | undefined {
  const file = tableOf(name);
  const table = readTable(file);
  if (process.env["KODOMOUNT_PIN"] !== "1") return table[name];
  const pinned = fitted(table[name] ?? {}, counts);
  writeTable(file, { ...table, [name]: pinned });
  return pinned;
}

/** Ranges that hold stay: a run has one of the values that timing may give. */
function fitted(pinned: Pinned, counts: Counts): Pinned {
  const result: Partial<Record<Change, number | readonly [number, number]>> = {};
  for (const kind of CHANGES) {
    const count = counts[kind] ?? 0;
    const former = pinned[kind];
    if (typeof former === "object" && fits(former, count)) result[kind] = former;
    else if (count > 0) result[kind] = count;
  }
  return result;
}

/** One line a name where it fits, as the formatter does, in the order of names: a change is easy to read. */
function writeTable(file: string, table: Readonly<Record<string, Pinned>>): void {
  const entries = Object.keys(table)
    .toSorted()
    .map((name) => entryOf(name, table[name] ?? {}));
  writeFileSync(file, `{\n${entries.join(",\n")}\n}\n`);
}

const LINE_WIDTH = 100;

function entryOf(name: string, pinned: Pinned): string {
  const fields = Object.entries(pinned).map(
    ([kind, value]) => `"${kind}": ${JSON.stringify(value).replace(",", ", ")}`,
  );
  if (fields.length === 0) return `  ${JSON.stringify(name)}: {}`;
  const line = `  ${JSON.stringify(name)}: { ${fields.join(", ")} }`;
  if (line.length < LINE_WIDTH) return line;
  return `  ${JSON.stringify(name)}: {\n    ${fields.join(",\n    ")}\n  }`;
}

/** What differs, in words: `3 PutObject, not 1`. */
export function differences(pinned: Pinned, counts: Counts): string[] {
  return CHANGES.flatMap((kind) => {
    const count = counts[kind] ?? 0;
    const want = pinned[kind] ?? 0;
    if (fits(want, count)) return [];
    return [`${count} ${kind}, not ${typeof want === "number" ? want : want.join(" to ")}`];
  });
}

function fits(want: number | readonly [number, number], count: number): boolean {
  return typeof want === "number" ? want === count : count >= want[0] && count <= want[1];
}
