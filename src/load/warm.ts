// Fetches files into the cache on disk before anybody reads them.

import { type Clock, codeOf, describe, KodomountError, Semaphore, toError } from "../base/mod.ts";
import { type Key, nameOf, parentKey, ROOT_KEY, toKey } from "../model/mod.ts";
import type { Loader } from "./loader.ts";
import type { ReadRequest, Version } from "./reader.ts";

export interface WarmProgress {
  /** Of what was asked for: how many, and bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Bytes that are in the cache, or could not be fetched. */
  readonly bytesDone: number;
  readonly filesDone: number;
}

export interface WarmResult {
  readonly files: number;
  readonly bytes: number;
  /** Bytes that were not in the cache before. */
  readonly bytesFetched: number;
  /** One line for each file that could not be fetched. */
  readonly failed: string[];
}

export interface WarmParts {
  readonly loader: Pick<Loader, "find" | "below">;
  /** @returns how many bytes were fetched. @throws `NoSpace` when the cache does not take them. */
  readonly keep: (request: ReadRequest, signal: AbortSignal) => Promise<number>;
  /** Bytes that the cache may take. */
  readonly cacheSize: number;
  readonly clock: Pick<Clock, "monotonic">;
}

const MIB = 1024 * 1024;
/** Fetched at once, so many of them: where packets are lost it takes many to fill a link. All of it may wait for the disk. */
const RANGE = MIB;
const LANES = 32;
/** As many files as the cache has. */
const FILES_MAX = 250_000;
/** What a small file takes at least. */
const FILE_SIZE_MIN = 8192;
const TELL_MS = 200;

/**
 * Fetches what is at or below `paths`, as it is in the bucket now.
 * @param paths below the mount point; "" is all of it.
 * @throws `NotFound`; `TooLarge` when the cache cannot hold all of it: nothing was fetched then; `NoSpace`, `Interrupted`.
 */
export async function warm(
  parts: WarmParts,
  paths: readonly string[],
  onProgress: (progress: WarmProgress) => void,
  signal: AbortSignal,
): Promise<WarmResult> {
  const versions = await versionsAt(parts, paths, signal);
  const tally = new Tally(versions, onProgress, parts.clock);
  const failed = new Map<Key, string>();
  const lanes = new Semaphore(LANES);
  const ended: { error?: Error } = {};
  const keep = async (request: ReadRequest, permit: Disposable): Promise<void> => {
    using _ = permit;
    const { key } = request.version;
    try {
      const fetched = failed.has(key) ? 0 : await parts.keep(request, signal);
      tally.fetched += fetched;
    } catch (error) {
      const code = codeOf(error);
      if (code === "NoSpace" || code === "Interrupted") ended.error = toError(error);
      else failed.set(key, describe(error));
    }
    tally.add(request);
  };
  const running = new Set<Promise<void>>();
  for (const request of rangesOf(versions)) {
    const permit = await lanes.acquire(0, signal).catch((error: unknown) => {
      ended.error = toError(error);
    });
    if (permit === undefined || ended.error !== undefined) break;
    const one = keep(request, permit).finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
  if (ended.error !== undefined) throw ended.error;
  const { files, bytes } = tally.progress();
  return { files, bytes, bytesFetched: tally.fetched, failed: [...failed.values()] };
}

/** How far it is; told a few times a second. */
class Tally {
  fetched = 0;
  readonly #files: number;
  readonly #bytes: number;
  #bytesDone = 0;
  #filesDone = 0;
  readonly #left = new Map<Key, number>();
  readonly #onProgress: (progress: WarmProgress) => void;
  readonly #clock: Pick<Clock, "monotonic">;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(
    versions: readonly Version[],
    onProgress: (progress: WarmProgress) => void,
    clock: Pick<Clock, "monotonic">,
  ) {
    this.#files = versions.length;
    this.#bytes = versions.reduce((sum, { size }) => sum + size, 0);
    this.#onProgress = onProgress;
    this.#clock = clock;
    this.#tell();
  }

  progress(): WarmProgress {
    return {
      files: this.#files,
      bytes: this.#bytes,
      bytesDone: this.#bytesDone,
      filesDone: this.#filesDone,
    };
  }

  add({ version: { key, size }, length }: ReadRequest): void {
    this.#bytesDone += length;
    const left = (this.#left.get(key) ?? size) - length;
    if (left > 0) this.#left.set(key, left);
    else {
      this.#left.delete(key);
      this.#filesDone += 1;
    }
    if (this.#clock.monotonic() - this.#toldAt >= TELL_MS) this.#tell();
  }

  #tell(): void {
    this.#toldAt = this.#clock.monotonic();
    this.#onProgress(this.progress());
  }
}

function* rangesOf(versions: readonly Version[]): Generator<ReadRequest> {
  for (const version of versions)
    for (let offset = 0; offset < version.size; offset += RANGE)
      yield { version, offset, length: Math.min(RANGE, version.size - offset) };
}

/** Each once; what is empty needs no fetching. */
async function versionsAt(
  { loader, cacheSize }: WarmParts,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Version[]> {
  const found = new Map<Key, Version>();
  let bytes = 0;
  for (const path of paths)
    for await (const { key, etag, size } of objectsAt(loader, path, signal)) {
      if (size === 0 || found.has(key)) continue;
      found.set(key, { key, etag, size });
      bytes += Math.max(size, FILE_SIZE_MIN);
      if (bytes <= cacheSize && found.size <= FILES_MAX) continue;
      throw new KodomountError(
        "TooLarge",
        `The cache takes ${Math.floor(cacheSize / MIB)} MiB and ${FILES_MAX} files at most, and this is more; name less, or mount with a larger '--cache-size'`,
      );
    }
  return [...found.values()];
}

async function* objectsAt(
  loader: WarmParts["loader"],
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Version> {
  if (path === "") return yield* loader.below(ROOT_KEY, signal);
  const key = toKey(path);
  const found = await loader.find(parentKey(key), nameOf(key), signal);
  if (found === undefined)
    throw new KodomountError("NotFound", `There is no file or directory ${path} in the bucket`);
  if (found.kind === "file") yield found;
  else yield* loader.below(found.key, signal);
}
