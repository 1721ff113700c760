// Uploads that nobody needs any more are aborted in the background. Each is in the catalog until the store has said yes.

import { codeOf, describe } from "../base/mod.ts";
import type { Key, UploadId } from "../model/mod.ts";
import type { Engine } from "./engine.ts";

export class Aborts {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The catalog has it already. `after`: parts of it that are still on their way. */
  add(key: Key, uploadId: UploadId, after: readonly Promise<void>[] = []): void {
    this.#engine.background.run(`aborting an upload of ${key}`, () =>
      this.#abort(key, uploadId, after),
    );
  }

  async #abort(key: Key, uploadId: UploadId, after: readonly Promise<void>[]): Promise<void> {
    const { store, catalog, stop, log } = this.#engine;
    await Promise.all(after);
    try {
      await store.abort({ key, uploadId }, stop);
    } catch (error) {
      if (codeOf(error) === "Interrupted") return; // the mount stops: the next start goes on
      log.warn(
        { key, err: error },
        `An upload of ${key} could not be aborted, the store will drop it in its time: ${describe(error)}`,
      );
    }
    await catalog.apply([{ del: "abort", uploadId }], { sync: false });
  }
}
