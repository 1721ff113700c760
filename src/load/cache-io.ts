// What the cache on disk does to the disk, and how long it leaves one alone that has failed.

import type fsp from "node:fs/promises";
import { type Clock, describe, type Log } from "../base/mod.ts";

/** A parameter, so that tests can have a disk that is full. */
export type CacheIo = Pick<typeof fsp, "open" | "readdir" | "stat" | "unlink" | "mkdir" | "utimes">;

const PAUSE_MS = 60_000;

/** Whether the disk does what it is told. While it does not, reads go on without it: one line in the log, however long it lasts. */
export class CacheHealth {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #isFailing = false;

  constructor(dir: string, clock: Clock, log: Log) {
    this.#dir = dir;
    this.#clock = clock;
    this.#log = log;
  }

  /** It has failed, or was full, within the last minute. */
  get isPaused(): boolean {
    return this.#clock.monotonic() < this.#pausedUntil;
  }

  failed(error: unknown): void {
    this.#pausedUntil = this.#clock.monotonic() + PAUSE_MS;
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#log.warn(
      { err: error, dir: this.#dir },
      `The cache cannot be used, and reads go on without it: ${describe(error)}`,
    );
  }

  works(): void {
    if (!this.#isFailing || this.isPaused) return;
    this.#isFailing = false;
    this.#log.info({ dir: this.#dir }, "The cache can be used again");
  }
}
