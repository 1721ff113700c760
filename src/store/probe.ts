// What is found out about a store before it is trusted.

import { createHash, randomBytes } from "node:crypto";
import { codeOf, KodomountError } from "../base/mod.ts";
import { ROOT_KEY, toKey, toSha256 } from "../model/mod.ts";
import type { ObjectStore } from "./object-store.ts";

/** Names of objects that are made to find out something, and deleted again. */
export const PROBE_PREFIX = ".kodomount-probe-";

/** Rejects with the code of what is wrong: keys, bucket, region, endpoint, clock. */
export async function checkAccess(store: ObjectStore, signal?: AbortSignal): Promise<void> {
  try {
    await store.list({ prefix: ROOT_KEY, delimiter: false, limit: 1 }, signal);
  } catch (error) {
    if (codeOf(error) !== "NotFound") throw error;
    // A listing names nothing but the bucket, so that is what was not found.
    throw new KodomountError("NoSuchBucket", "The bucket does not exist", { cause: error });
  }
}

/** Whether the store refuses a body that is not what its signed hash says. Leaves nothing behind. */
export async function probePayloadHash(
  store: ObjectStore,
  signal?: AbortSignal,
): Promise<"verified" | "not verified"> {
  const key = toKey(`${PROBE_PREFIX}${randomBytes(6).toString("hex")}`);
  const sha256 = toSha256(createHash("sha256").update("what was signed").digest("hex"));
  const bytes = Buffer.from("what is sent instead");
  try {
    await store.put({ key, body: { kind: "bytes", bytes }, sha256, metadata: {} }, signal);
  } catch (error) {
    if (codeOf(error) === "BadDigest") return "verified";
    throw error;
  }
  await store.delete(key, signal);
  return "not verified";
}
