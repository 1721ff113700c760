// Storage classes: which of them keep an object where it cannot be read before it was asked for.

/** `restoring`: it was asked for. `restored`: it can be read until `untilMs`, milliseconds since the epoch. */
export type Archive =
  | { readonly state: "archived" | "restoring" }
  | { readonly state: "restored"; readonly untilMs: number | undefined };

export const STANDARD_CLASS = "STANDARD";
const ARCHIVE_CLASSES: ReadonlySet<string> = new Set(["GLACIER", "DEEP_ARCHIVE"]);

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
