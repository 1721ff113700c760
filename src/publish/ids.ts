// New names that never collide.

import { randomBytes } from "node:crypto";
import { type SaveId, toSaveId } from "../model/mod.ts";

export function newSaveId(): SaveId {
  return toSaveId(randomBytes(8).toString("hex"));
}

/** What tells one upload's object from every other: goes into its metadata. */
export function newToken(): string {
  return randomBytes(8).toString("hex");
}
