// Objects in an archive: what may not be asked of them before they were restored, and asking for that.

import { codeOf, describe, groupsOf, KodomountError } from "../base/mod.ts";
import { type Archive, isArchiveClass, type Key, ROOT_KEY, toKey } from "../model/mod.ts";
import type { Core } from "./core.ts";
import { pendingAt } from "./view.ts";

/** How one file is: `stored` can be read as any other. */
export interface ArchiveStatus {
  /** Below the mount point. */
  readonly path: string;
  readonly state: "stored" | Archive["state"];
  /** Of a restored one: when it is archived again, milliseconds since the epoch, where the store says. */
  readonly untilMs?: number | undefined;
  /** Why it could not be asked for. */
  readonly error?: string | undefined;
}

/** Requests at a time for the files of a directory. */
const RESTORES_MAX = 8;

export class Archives {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** How the file at `path` is. @throws `NotFound`; `Busy` while it is not in the bucket. */
  async status(path: string, signal: AbortSignal): Promise<ArchiveStatus> {
    const key = this.#stored(path);
    const head = await this.#core.options.loader.head(key, signal);
    if (head === undefined) throw new KodomountError("NotFound", `${path} is not there`);
    return toStatus(path, head.archive);
  }

  /**
   * Asks for the archived file at `path`, or for all in the directory there, to be readable for `days`.
   * @returns each that was asked for, or could not be.
   * @throws `NotFound`, `Busy`; `Invalid` when nothing there is archived.
   */
  async restore(path: string, days: number, signal: AbortSignal): Promise<ArchiveStatus[]> {
    const { loader } = this.#core.options;
    const head = path === "" ? undefined : await loader.head(this.#stored(path), signal);
    if (head === undefined) return this.#restoreBelow(path, days, signal);
    if (head.archive === undefined)
      throw new KodomountError("Invalid", `${path} is not archived: it can be read as it is`);
    return [await this.#ask(path, days, signal)];
  }

  async #restoreBelow(path: string, days: number, signal: AbortSignal): Promise<ArchiveStatus[]> {
    const directory = path === "" ? ROOT_KEY : toKey(`${path.replace(/\/+$/, "")}/`);
    const archived: string[] = [];
    let isThere = path === "";
    for await (const { key, storageClass } of this.#core.options.loader.below(directory, signal)) {
      isThere = true;
      if (isArchiveClass(storageClass)) archived.push(key);
    }
    if (!isThere) throw new KodomountError("NotFound", `${path} is not there`);
    if (archived.length === 0)
      throw new KodomountError(
        "Invalid",
        `Nothing in ${path} is archived: it can be read as it is`,
      );
    const statuses: ArchiveStatus[] = [];
    for (const some of groupsOf(archived, RESTORES_MAX))
      statuses.push(...(await Promise.all(some.map((each) => this.#tryAsk(each, days, signal)))));
    return statuses;
  }

  /** One that cannot be asked for does not keep the others from it. */
  async #tryAsk(path: string, days: number, signal: AbortSignal): Promise<ArchiveStatus> {
    try {
      return await this.#ask(path, days, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return { path, state: "archived", error: describe(error) };
    }
  }

  async #ask(path: string, days: number, signal: AbortSignal): Promise<ArchiveStatus> {
    try {
      await this.#core.options.loader.restore(this.#stored(path), days, signal);
    } catch (error) {
      // Asked for before: it comes all the same.
      if (codeOf(error) !== "Busy") throw error;
    }
    const status = await this.status(path, signal);
    // Some stores take a moment to say so themselves.
    return status.state === "archived" ? { ...status, state: "restoring" } : status;
  }

  /** The object behind a path: of a file that is being renamed the one that it is copied from. */
  #stored(path: string): Key {
    const key = toKey(path);
    const pending = pendingAt(this.#core.options.publisher.find(key));
    if (pending === "absent") throw new KodomountError("NotFound", `${path} is not there`);
    if (pending?.kind === "copy") return pending.want.from;
    if (pending !== undefined)
      throw new KodomountError(
        "Busy",
        `${path} is not in the bucket yet, so it is not archived; see 'kodomount status'`,
      );
    return key;
  }
}

/** @throws `Archived` when the bytes of an object of that class cannot be read or copied now. */
export async function assertReadable(
  core: Core,
  object: { readonly key: Key; readonly storageClass?: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  if (!isArchiveClass(object.storageClass)) return;
  const head = await core.options.loader.head(object.key, signal);
  if (head?.archive === undefined || head.archive.state === "restored") return;
  throw new KodomountError(
    "Archived",
    `${object.key} is archived: it cannot be changed or renamed before 'kodomount restore PATH', only be replaced or removed`,
  );
}

function toStatus(path: string, archive: Archive | undefined): ArchiveStatus {
  return { path, ...(archive ?? { state: "stored" }) };
}
