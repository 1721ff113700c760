// `.kodomount/` at the root of a mount: what is not in the bucket and still may be wanted, to be read with any program.
// `.kodomount/interrupted/PATH` is what was written to PATH by a program that died. Nothing in it can be changed, and the
// root does not list it, so that a copy of everything does not copy it as well.

import { KodomountError } from "../base/mod.ts";
import { type Key, ROOT_KEY, S_IFDIR, S_IFMT, toKey } from "../model/mod.ts";
import type { Publisher, Save } from "../publish/mod.ts";
import type { Found } from "./view.ts";

export const RESERVED = ".kodomount";
const INTERRUPTED = `${RESERVED}/interrupted/`;

/** Whether a key is in there; an object of the bucket under such a key is not shown. */
export function isReserved(key: Key): boolean {
  return key === RESERVED || key.startsWith(`${RESERVED}/`);
}

/** @throws `NotPermitted`. */
export function assertNotReserved(key: Key): void {
  if (!isReserved(key)) return;
  throw new KodomountError(
    "NotPermitted",
    `'${RESERVED}' shows what is kept here and cannot be changed; see 'kodomount uploads' to publish or drop it`,
  );
}

export class Reserved {
  readonly #publisher: Publisher;

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  /** @param fileKey of a name as a file, `directoryKey` of the same name as a directory. */
  find(fileKey: Key, directoryKey: Key): Found | undefined {
    if (INTERRUPTED.startsWith(directoryKey) || this.names(directoryKey).size > 0)
      return { kind: "directory", key: directoryKey };
    const save = this.save(fileKey);
    return save && { kind: "file", key: fileKey, current: { kind: "save", save } };
  }

  /** The interrupted save that is shown at `key`. */
  save(key: Key): Save | undefined {
    if (!key.startsWith(INTERRUPTED)) return undefined;
    return this.#publisher.find(toKey(key.slice(INTERRUPTED.length)))?.interrupted;
  }

  /** Names in a directory with their types. */
  names(directoryKey: Key): Map<string, { type: number }> {
    const names = new Map<string, { type: number }>();
    for (const { key, interrupted } of this.#publisher.below(ROOT_KEY)) {
      const shown = INTERRUPTED + key;
      if (interrupted === undefined || !shown.startsWith(directoryKey)) continue;
      const [name = "", ...below] = shown.slice(directoryKey.length).split("/");
      const { mode } = interrupted.record.attributes;
      names.set(name, { type: below.length > 0 ? S_IFDIR : mode & S_IFMT });
    }
    // There also when it is empty.
    if (directoryKey === `${RESERVED}/`) names.set("interrupted", { type: S_IFDIR });
    return names;
  }
}
