// Parts that are not where they should be.

import { KodomountError } from "../base/mod.ts";
import type { Key, PartNumber, SaveId } from "../model/mod.ts";

/** The error for a part whose spill file is not what was sealed. */
export function corruptPart(save: SaveId, partNumber: PartNumber, cause?: unknown): KodomountError {
  return new KodomountError(
    "Corrupt",
    `Part ${partNumber} of save ${save} in the spill is not what was written`,
    { cause },
  );
}

/** The error for a save whose evicted parts were in an upload that the store does not have any more. */
export function lostParts(key: Key, cause?: unknown): KodomountError {
  return new KodomountError(
    "NoSuchUpload",
    `${key} is larger than the spill, and the upload that had its first parts is gone: it must be saved again`,
    { cause },
  );
}
