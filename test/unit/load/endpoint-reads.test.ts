// Reads from a CDN before the store, both of which do what the test says.

import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  type Clock,
  KodomountError,
  type Log,
  silentLog,
  systemClock,
} from "../../../src/base/mod.ts";
import { EndpointReads } from "../../../src/load/endpoint-reads.ts";
import { toEtag, toKey } from "../../../src/model/mod.ts";
import type { ByteRange } from "../../../src/store/mod.ts";

const BYTES = randomBytes(1000);

class Stand {
  readonly asked: string[] = [];
  readonly lines: string[] = [];
  /** Of the CDN: after how many bytes it fails, and how. */
  fault: { after: number; error: Error } | undefined;
  refusal: Error | undefined;
  laterMs = 0;
  readonly #reads: EndpointReads;

  constructor() {
    const line = (_: object, message: string): void => void this.lines.push(message);
    const log: Log = { ...silentLog, warn: line, info: line };
    const clock: Clock = {
      ...systemClock,
      monotonic: () => systemClock.monotonic() + this.laterMs,
    };
    const give = (name: string, { offset, length }: ByteRange): Buffer => {
      this.asked.push(`${name} ${offset}+${length}`);
      return BYTES.subarray(offset, offset + length);
    };
    this.#reads = new EndpointReads({
      endpoint: {
        read: async ({ range }, sink) => {
          const bytes = give("cdn", range);
          if (this.fault === undefined) return sink(bytes);
          if (this.fault.after > 0) sink(bytes.subarray(0, this.fault.after));
          throw this.fault.error;
        },
      },
      store: {
        read: async ({ range }, sink) => {
          if (this.refusal !== undefined) throw this.refusal;
          sink(give("store", range));
        },
      },
      clock,
      log,
    });
  }

  /** What was asked for it. */
  async read(key = "k"): Promise<string[]> {
    this.asked.length = 0;
    const pieces: Buffer[] = [];
    const range = { offset: 100, length: 500 };
    await this.#reads.read({ key: toKey(key), etag: toEtag('"1"'), range }, (piece) =>
      pieces.push(piece),
    );
    expect(Buffer.concat(pieces).equals(BYTES.subarray(100, 600))).toBe(true);
    return this.asked;
  }
}

const error = (code: "PreconditionFailed" | "Unreachable" | "Interrupted") =>
  new KodomountError(code, code);

describe("EndpointReads", () => {
  test("S7.14 asks the store only for what the endpoint has not given", async () => {
    const stand = new Stand();
    expect(await stand.read()).toEqual(["cdn 100+500"]);
    stand.fault = { after: 123, error: error("Unreachable") };
    expect(await stand.read()).toEqual(["cdn 100+500", "store 223+377"]);
    // A broken connection says nothing of the next.
    expect(await stand.read()).toEqual(["cdn 100+500", "store 223+377"]);
    expect(stand.lines).toEqual([]);
  });

  test("S7.14 a version that it does not have is asked for there again after a minute, others at once", async () => {
    const stand = new Stand();
    stand.fault = { after: 0, error: error("PreconditionFailed") };
    expect(await stand.read()).toEqual(["cdn 100+500", "store 100+500"]);
    expect(await stand.read()).toEqual(["store 100+500"]);
    expect(await stand.read("other")).toEqual(["cdn 100+500", "store 100+500"]);
    expect(stand.lines).toHaveLength(1);
    // What the store has not either is Stale.
    stand.refusal = error("PreconditionFailed");
    await expect(stand.read("third")).rejects.toMatchObject({ code: "PreconditionFailed" });
  });

  test("S7.14 one that does not answer is left alone for a minute, with one line", async () => {
    const stand = new Stand();
    stand.fault = { after: 0, error: error("Unreachable") };
    expect(await stand.read()).toEqual(["cdn 100+500", "store 100+500"]);
    expect(await stand.read()).toEqual(["store 100+500"]);
    stand.laterMs = 61_000;
    expect(await stand.read()).toEqual(["cdn 100+500", "store 100+500"]);
    stand.laterMs = 122_000;
    stand.fault = undefined;
    expect(await stand.read()).toEqual(["cdn 100+500"]);
    expect(stand.lines).toEqual([
      "The read endpoint does not answer, and the store itself is read: Unreachable",
      "The read endpoint answers again",
    ]);
  });

  test("S4.3 a read that is given up is not asked for elsewhere", async () => {
    const stand = new Stand();
    stand.fault = { after: 0, error: error("Interrupted") };
    await expect(stand.read()).rejects.toMatchObject({ code: "Interrupted" });
    expect(stand.asked).toEqual(["cdn 100+500"]);
  });
});
