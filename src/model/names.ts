// Which names a file may have, and how names make a key.

import { KodomountError } from "../base/mod.ts";
import { type Key, toKey } from "./ids.ts";

/** POSIX's usual limit, in bytes. */
export const NAME_SIZE_MAX = 255;

/** The key of `name` in directory `parent` (whose key is "" or ends with `/`). */
export function childKey(parent: Key, name: string): Key {
  return toKey(parent + name);
}

/** A directory's key from its name. */
export function childDirectoryKey(parent: Key, name: string): Key {
  return toKey(`${parent}${name}/`);
}

/** The key of the directory that holds `key`; the root's is the root. */
export function parentKey(key: Key): Key {
  return toKey(key.slice(0, key.lastIndexOf("/", key.length - 2) + 1));
}

/** The last name in `key`, without a trailing slash. */
export function nameOf(key: Key): string {
  const end = key.endsWith("/") ? key.length - 1 : key.length;
  return key.slice(key.lastIndexOf("/", end - 1) + 1, end);
}

export function isDirectoryKey(key: Key): boolean {
  return key === "" || key.endsWith("/");
}

/**
 * The name as text.
 * @throws `NameNotUtf8`, `NameTooLong`, `Invalid` (empty, `.`, `..`, a slash or NUL in it).
 */
export function parseName(bytes: Uint8Array): string {
  if (bytes.length > NAME_SIZE_MAX)
    throw new KodomountError(
      "NameTooLong",
      `A name can have at most ${NAME_SIZE_MAX} bytes: received ${bytes.length}`,
    );
  let name: string;
  try {
    name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new KodomountError("NameNotUtf8", "A name must be UTF-8, since keys of objects are", {
      cause: error,
    });
  }
  if (!isName(name)) throw new KodomountError("Invalid", `Not a name: ${JSON.stringify(name)}`);
  return name;
}

/** Whether `name`, met in the bucket, can be shown as the name of a file. */
export function isName(name: string): boolean {
  return (
    name !== "" &&
    name !== "." &&
    name !== ".." &&
    !/[/\0]/.test(name) &&
    Buffer.byteLength(name) <= NAME_SIZE_MAX
  );
}

/** @throws `NameTooLong` when the store cannot hold `prefix + key`. `sizeMax` is in bytes, 1,024 at S3. */
export function assertKeyFits(prefix: string, key: Key, sizeMax: number): void {
  const size = Buffer.byteLength(prefix) + Buffer.byteLength(key);
  if (size > sizeMax)
    throw new KodomountError(
      "NameTooLong",
      `A path can have at most ${sizeMax} bytes in the bucket: this one has ${size}`,
    );
}
