// What was asked since the start: for tests that count requests and bytes.

import type { Fault } from "./faults.ts";
import type { OperationKind, Target } from "./target.ts";

export interface RequestEntry {
  readonly kind: OperationKind;
  readonly bucket: string;
  readonly key: string;
  readonly partNumber: number | undefined;
  readonly uploadId: string | undefined;
  readonly arrivedMs: number;
  /** 0 until an answer begins, and for ever when none does. */
  readonly status: number;
  /** Bytes of the body so far. */
  readonly bytesIn: number;
  /** Bytes of the reply's body so far. */
  readonly bytesOut: number;
  /** The fault that was ordered for it. */
  readonly fault: Fault["kind"] | undefined;
}

export type OpenEntry = { -readonly [K in keyof RequestEntry]: RequestEntry[K] };

/** A long test must not fill the memory; who counts more than this asks in between. */
const ENTRY_COUNT_MAX = 200_000;

export class RequestLog {
  #entries: OpenEntry[] = [];

  /** Starts an entry, which its owner fills in. */
  begin(target: Target, arrivedMs: number, fault: Fault | undefined): OpenEntry {
    const entry = openEntry(target, arrivedMs, fault);
    this.#entries.push(entry);
    if (this.#entries.length > 2 * ENTRY_COUNT_MAX)
      this.#entries = this.#entries.slice(-ENTRY_COUNT_MAX);
    return entry;
  }

  /** In order of arrival; also those that are not answered yet. */
  list(): RequestEntry[] {
    return this.#entries.map((entry) => ({ ...entry }));
  }
}

/** An entry as it is when the request arrives. */
export function openEntry(target: Target, arrivedMs: number, fault: Fault | undefined): OpenEntry {
  const partNumber = target.query.get("partNumber");
  return {
    kind: target.kind,
    bucket: target.bucket,
    key: target.key,
    partNumber: partNumber === undefined ? undefined : Number(partNumber),
    uploadId: target.query.get("uploadId"),
    arrivedMs,
    status: 0,
    bytesIn: 0,
    bytesOut: 0,
    fault: fault?.kind,
  };
}
