// Reads what lies underneath a save that modifies an object: exactly the version that it was begun on.

import { invariant, KodomountError } from "../base/mod.ts";
import type { SaveRecord } from "../model/mod.ts";
import type { ByteRange } from "../store/mod.ts";
import type { Engine } from "./engine.ts";

/** @throws `Stale` when the object is another version by now. */
export async function readBase(
  engine: Engine,
  record: SaveRecord,
  range: ByteRange,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { base, key } = record;
  invariant(base.kind === "object", `${key} has an object underneath`);
  try {
    return (await engine.store.get({ key, range, etag: base.etag }, signal)).bytes;
  } catch (error) {
    if (
      !(error instanceof KodomountError) ||
      (error.code !== "PreconditionFailed" && error.code !== "NotFound")
    )
      throw error;
    throw new KodomountError(
      "Stale",
      `${key} was changed by another client while it was being modified here`,
      { cause: error },
    );
  }
}
