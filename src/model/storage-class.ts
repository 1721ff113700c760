// Storage classes: which of them keep an object where it cannot be read before it was asked for, and which one what is
// saved gets.

import { KodomountError } from "../base/mod.ts";
import type { Key } from "./ids.ts";
import { namePattern } from "./name-pattern.ts";
import { isName } from "./names.ts";

/** `restoring`: it was asked for. `restored`: it can be read until `untilMs`, milliseconds since the epoch. */
export type Archive =
  | { readonly state: "archived" | "restoring" }
  | { readonly state: "restored"; readonly untilMs: number | undefined };

export const STANDARD_CLASS = "STANDARD";
const ARCHIVE_CLASSES: ReadonlySet<string> = new Set(["GLACIER", "DEEP_ARCHIVE"]);

/** What is saved under a name that `pattern` fits, or below a directory of such a name, is of that class. */
export interface StorageRule {
  /** With `*` and `?`; undefined: whatever no other rule is for. */
  readonly pattern?: string;
  readonly storageClass: string;
}

export class StorageClasses {
  readonly #rules: readonly { readonly name: RegExp; readonly storageClass: string }[];
  readonly #others: string | undefined;

  /** @param rules the first that fits counts. @throws `Config` for a pattern that is no name. */
  constructor(rules: readonly StorageRule[] = []) {
    this.#others = rules.find(({ pattern }) => pattern === undefined)?.storageClass;
    this.#rules = rules.flatMap(({ pattern, storageClass }) =>
      pattern === undefined ? [] : [{ name: toName(pattern), storageClass }],
    );
  }

  /** Of a file; undefined: the bucket's usual one. */
  of(key: Key): string | undefined {
    const names = key.split("/");
    const rule = this.#rules.find(({ name }) => names.some((each) => name.test(each)));
    return rule?.storageClass ?? this.#others;
  }
}

function toName(pattern: string): RegExp {
  if (isName(pattern)) return namePattern(pattern);
  throw new KodomountError(
    "Config",
    `'--storage-class' must be [PATTERN=]CLASS with a pattern for names such as '*.ckpt': received ${JSON.stringify(pattern)}`,
  );
}

/** Whether objects of the class have to be restored before they are read; what says nothing of its class need not. */
export function isArchiveClass(storageClass: string | undefined): boolean {
  return storageClass !== undefined && ARCHIVE_CLASSES.has(storageClass);
}

/**
 * What HEAD tells of an object that is, or was, in an archive; undefined: it can be read as any other.
 * @param restore the header `x-amz-restore`: `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`.
 */
export function parseArchive(
  storageClass: string | undefined,
  restore: string | undefined,
): Archive | undefined {
  if (!isArchiveClass(storageClass)) return undefined;
  const ongoing = /ongoing-request="(true|false)"/.exec(restore ?? "")?.[1];
  if (ongoing === undefined) return { state: "archived" };
  if (ongoing === "true") return { state: "restoring" };
  const until = Date.parse(/expiry-date="([^"]*)"/.exec(restore ?? "")?.[1] ?? "");
  return { state: "restored", untilMs: Number.isNaN(until) ? undefined : until };
}
