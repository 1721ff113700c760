// The header that names the object to copy from.

import { assertReadable } from "./archive.ts";
import type { Call } from "./call.ts";
import type { ObjectRecord } from "./objects.ts";
import { Refusal } from "./refusal.ts";
import { decode } from "./target.ts";

/**
 * The object to copy from. Conditions on it are ignored without a word, as at Kodo.
 * @throws `NoSuchKey`, `NoSuchBucket`, `InvalidObjectState`.
 */
export function copySourceOf(call: Call): ObjectRecord {
  const header = String(call.headers["x-amz-copy-source"]);
  const path = decode(header.replace(/^\//, ""));
  const slash = path.indexOf("/");
  if (slash < 1)
    throw new Refusal("InvalidArgument", "x-amz-copy-source must be of the form bucket/key");
  const source = call.disk.bucket(path.slice(0, slash)).objects.find(path.slice(slash + 1));
  if (source === undefined) throw new Refusal("NoSuchKey", "The object to copy does not exist");
  assertReadable(source, call.clock.now());
  return source;
}
