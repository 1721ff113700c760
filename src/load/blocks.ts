// Reads of committed objects: aligned blocks, fetched by ranged GETs of several of them, ahead of who reads in sequence.
// Concurrent readers share what is on its way, and all of them one bound of memory.

import { writevSync } from "node:fs";
import { type Clock, codeOf, KodomountError, newAbort, unlessAborted } from "../base/mod.ts";
import type { ObjectStore } from "../store/mod.ts";
import { BlockCache } from "./block-cache.ts";
import { BLOCK_SIZE } from "./block-memory.ts";
import { isSeek, type ReadPattern, readOn, UNREAD, windowOf } from "./read-pattern.ts";
import { type DirectReply, frame, type Reader, type ReadRequest, type Version } from "./reader.ts";
import { Run } from "./run.ts";

const MIB = 1024 * 1024;
/** A request costs CPU and a round trip, so the more the better, as long as the window holds enough of them. */
const RUN_SIZE_MAX = 8 * MIB;
const RUN_SIZE_MIN = MIB;
/** Runs that share a window at least: one connection alone does not fill a link. */
const RUNS_MIN = 8;
/** Where a connection is slow, since packets are lost, more of them share the window: a run is what one brings in this time. */
const RUN_MS = 1000;

/** A version that is being read. */
interface Reading {
  readonly version: Version;
  readonly name: string;
  pattern: ReadPattern;
  /** Everything before it was asked for. */
  aheadTo: number;
  readonly stop: AbortController;
}

export interface BlocksOptions {
  /** With retries, without a deadline. */
  readonly store: Pick<ObjectStore, "read">;
  readonly clock: Clock;
  /** Bytes of blocks that are kept; half as many may be fetched ahead of who reads. */
  readonly memory: number;
}

export class Blocks implements Reader {
  readonly #store: Pick<ObjectStore, "read">;
  readonly #clock: Clock;
  readonly #aheadMax: number;
  readonly #cache: BlockCache;
  readonly #flights = new Map<string, Promise<Buffer>>();
  readonly #readings = new Map<string, Reading>();
  /** What one connection brings, as of the last runs. */
  #bytesPerMs = RUN_SIZE_MAX / RUN_MS;

  constructor(options: BlocksOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#aheadMax = options.memory / 2;
    this.#cache = new BlockCache(options.memory);
  }

  async read(
    { version, offset, length }: ReadRequest,
    signal: AbortSignal,
    direct?: DirectReply,
  ): Promise<Uint8Array | "written"> {
    const end = Math.min(offset + length, version.size);
    return this.#pieces({ version, offset, length: end - offset }, signal, (pieces) => {
      // A copy: the memory of blocks is used again.
      if (direct === undefined) return Buffer.concat(pieces);
      writevSync(direct.fd, frame(direct.head, pieces));
      return "written";
    });
  }

  forget(version: Pick<Version, "key" | "etag">): void {
    const name = nameOf(version);
    this.#readings.get(name)?.stop.abort();
    this.#readings.delete(name);
  }

  async stop(): Promise<void> {
    for (const { version } of [...this.#readings.values()]) this.forget(version);
  }

  /** Gives the bytes to `take`, which must be through with them when it returns. */
  async #pieces<T>(
    request: ReadRequest,
    signal: AbortSignal,
    take: (pieces: Uint8Array[]) => T,
  ): Promise<T> {
    const { version, offset, length } = request;
    const end = offset + length;
    if (length <= 0) return take([]);
    const reading = this.#readingOf(version);
    if (isSeek(reading.pattern, offset)) reading.aheadTo = 0;
    reading.pattern = readOn(reading.pattern, offset, length);
    const starts: number[] = [];
    for (let at = floor(offset); at < end; at += BLOCK_SIZE) starts.push(at);
    const names = starts.map((at) => blockName(reading, at));
    for (const name of names) this.#cache.pin(name);
    try {
      const blocks = starts.map((at) => this.#block(reading, at, end));
      this.#fetchAhead(reading, end);
      const found = await unlessAborted(Promise.all(blocks), signal);
      return take(
        found.map((block, index) => {
          const start = starts[index] ?? 0;
          return block.subarray(Math.max(0, offset - start), end - start);
        }),
      );
    } catch (error) {
      // Given up by who had it open before us.
      if (codeOf(error) === "Interrupted" && !signal.aborted && reading.stop.signal.aborted)
        return await this.#pieces(request, signal, take);
      throw explain(error, version);
    } finally {
      for (const name of names) this.#cache.unpin(name);
    }
  }

  #readingOf(version: Version): Reading {
    const name = nameOf(version);
    let reading = this.#readings.get(name);
    if (reading === undefined) {
      reading = { version, name, pattern: UNREAD, aheadTo: 0, stop: newAbort() };
      this.#readings.set(name, reading);
    }
    return reading;
  }

  /** A block that somebody waits for; with those behind it that are missing up to `end`. */
  #block(reading: Reading, at: number, end: number): Promise<Buffer> {
    const name = blockName(reading, at);
    // What a sequence has passed must not push out what was fetched ahead of it.
    const block = this.#cache.get(name, reading.pattern.streak < MIB);
    if (block !== undefined) return Promise.resolve(block);
    const flight = this.#flights.get(name);
    if (flight !== undefined) return flight;
    // What will be fetched ahead anyway comes in the same request.
    const ahead = Math.min(at + this.#runSize(reading), this.#aheadEnd(reading));
    const run = this.#fetch(reading, at, Math.max(ahead, Math.min(end, at + RUN_SIZE_MAX)));
    return run.block(0);
  }

  #fetchAhead(reading: Reading, end: number): void {
    const to = this.#aheadEnd(reading);
    const runSize = this.#runSize(reading);
    let at = Math.max(ceil(end), reading.aheadTo);
    while (at < to && (to - at >= runSize || to === reading.version.size)) {
      if (this.#isThere(blockName(reading, at))) at += BLOCK_SIZE;
      else {
        this.#fetch(reading, at, Math.min(at + runSize, to));
        at += runSize;
      }
    }
    reading.aheadTo = at;
  }

  /** Where what is wanted ahead of the reader ends. */
  #aheadEnd({ version, pattern }: Reading): number {
    return Math.min(version.size, ceil(pattern.next + windowOf(pattern, this.#share())));
  }

  /** What one of those who read in sequence may have on its way. */
  #share(): number {
    let readers = 0;
    for (const { pattern } of this.#readings.values()) if (pattern.streak >= MIB) readers += 1;
    return Math.floor(this.#aheadMax / Math.max(1, readers));
  }

  #runSize({ pattern }: Reading): number {
    const window = windowOf(pattern, this.#share());
    const connection = Math.max(RUN_SIZE_MIN, this.#bytesPerMs * RUN_MS);
    return Math.max(BLOCK_SIZE, floor(Math.min(RUN_SIZE_MAX, window / RUNS_MIN, connection)));
  }

  #isThere(name: string): boolean {
    return this.#cache.has(name) || this.#flights.has(name);
  }

  /** One GET of what is missing from `from`, a block's start, up to `to` or to the next block that is there. */
  #fetch(reading: Reading, from: number, to: number): Run {
    const { key, etag, size } = reading.version;
    const starts = [from];
    for (let at = from + BLOCK_SIZE; at < to; at += BLOCK_SIZE) {
      if (this.#isThere(blockName(reading, at))) break;
      starts.push(at);
    }
    const names = starts.map((at) => blockName(reading, at));
    const run = new Run({
      sizes: starts.map((at) => Math.min(BLOCK_SIZE, size - at)),
      allocate: (bytes) => this.#cache.allocate(bytes),
      free: (block) => this.#cache.release(block),
      onBlock: (index, block) => {
        const name = names[index] ?? "";
        this.#flights.delete(name);
        this.#cache.add(name, block);
      },
    });
    names.forEach((name, index) => this.#flights.set(name, run.block(index)));
    const range = {
      offset: from,
      length: Math.min(size, from + starts.length * BLOCK_SIZE) - from,
    };
    const began = this.#clock.monotonic();
    this.#store
      .read({ key, etag, range }, (piece) => run.add(piece), reading.stop.signal)
      .then(() => this.#measure(range.length, this.#clock.monotonic() - began))
      .catch((error: unknown) => {
        for (const name of names) this.#flights.delete(name);
        run.fail(error);
      });
    return run;
  }

  /** A quarter of each new value: one run that waited does not decide alone. */
  #measure(bytes: number, ms: number): void {
    if (bytes < RUN_SIZE_MIN) return;
    this.#bytesPerMs += (bytes / Math.max(1, ms) - this.#bytesPerMs) / 4;
  }
}

function floor(offset: number): number {
  return offset - (offset % BLOCK_SIZE);
}

function ceil(offset: number): number {
  return floor(offset + BLOCK_SIZE - 1);
}

function nameOf(version: Pick<Version, "key" | "etag">): string {
  return `${version.key}\0${version.etag}`;
}

function blockName(reading: Reading, at: number): string {
  return `${reading.name}\0${at}`;
}

/** What a read of that object says of an error of the store. */
export function explain(error: unknown, { key }: Pick<Version, "key">): unknown {
  const code = codeOf(error);
  if (code === "Archived")
    return new KodomountError(
      "Archived",
      `${key} is archived and cannot be read: 'kodomount restore PATH' asks the store for it`,
      { cause: error },
    );
  if (code === "AccessDenied")
    return new KodomountError(
      "AccessDenied",
      `${key} cannot be read: the bucket's policy must allow GetObject to these keys`,
      { cause: error },
    );
  if (code !== "PreconditionFailed" && code !== "NotFound") return error;
  return new KodomountError(
    "Stale",
    `${key} was changed or deleted by another client while it was open here`,
    { cause: error },
  );
}
