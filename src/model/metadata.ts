// Attributes as user metadata of an object: names and forms as rclone and s3fs write them, so that other tools read ours
// and we theirs.

import {
  type Attributes,
  type Milliseconds,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Xattrs,
} from "./attributes.ts";

/** What an object's user metadata says of its file: each may be absent. */
export type PartialAttributes = { readonly [K in keyof Attributes]?: Attributes[K] | undefined };

const META_MODE = "mode";
const META_UID = "uid";
const META_GID = "gid";
const META_MTIME = "mtime";
const META_XATTR = "xattr";
/** Which save made the object: how we know our own work again. */
export const META_SAVE = "kodomount-save";

/** S3 takes 2 KB of user metadata and refuses the object for more: names (we count their prefix, too) and values. */
const METADATA_SIZE_MAX = 2000;
const PREFIX_SIZE = "x-amz-meta-".length;

const UINT32_MAX = 2 ** 32 - 1;

/**
 * User metadata for an object, names without `x-amz-meta-`.
 * @param others what the object has besides, which ours replaces where the names are the same. They go first: what of ours
 *   does not fit is left to the catalog, the xattrs before the rest.
 */
export function toMetadata(
  attributes: Attributes | undefined,
  save: string,
  others: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const token = { [META_SAVE]: save };
  if (attributes === undefined) return { ...others, ...token };
  const { [META_XATTR]: _, ...rest } = others;
  const plain = { ...rest, ...plainMetadata(attributes), ...token };
  const all = { ...plain, ...xattrMetadata(attributes.xattrs) };
  return [all, plain].find(fits) ?? { ...rest, ...token };
}

/** The reverse, from the metadata of any object; what is absent or makes no sense is left out. */
export function fromMetadata(metadata: Readonly<Record<string, string>>): PartialAttributes {
  const xattrs = parseXattrs(metadata[META_XATTR]);
  return {
    mode: modeOf(metadata[META_MODE]),
    uid: wholeOf(metadata[META_UID]),
    gid: wholeOf(metadata[META_GID]),
    mtimeMs: fromSeconds(metadata[META_MTIME]) ?? rcloneTime(metadata[META_MTIME]),
    ...(xattrs === undefined ? {} : { xattrs }),
  };
}

/** The mode of a file, or of a directory, of which somebody else may have said something impossible. */
export function modeFor(kind: "file" | "directory", mode: number): number {
  const bits = mode & 0o7777;
  if (kind === "directory") return S_IFDIR | bits;
  return ((mode & S_IFMT) === S_IFLNK ? S_IFLNK : S_IFREG) | bits;
}

function plainMetadata(attributes: Attributes): Record<string, string> {
  return {
    [META_MODE]: String(attributes.mode),
    [META_UID]: String(attributes.uid),
    [META_GID]: String(attributes.gid),
    [META_MTIME]: toSeconds(attributes.mtimeMs),
  };
}

/** As s3fs: JSON of names and base64, percent-encoded. */
function xattrMetadata(xattrs: Xattrs | undefined): Record<string, string> {
  if (xattrs === undefined || Object.keys(xattrs).length === 0) return {};
  return { [META_XATTR]: encodeURIComponent(JSON.stringify(xattrs)) };
}

function fits(metadata: Readonly<Record<string, string>>): boolean {
  const size = Object.entries(metadata).reduce(
    (sum, [name, value]) => sum + PREFIX_SIZE + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  return size <= METADATA_SIZE_MAX;
}

function parseXattrs(text: string | undefined): Xattrs | undefined {
  if (text === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(decodeURIComponent(text));
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const entries = Object.entries(parsed).filter(
      (entry): entry is [string, string] =>
        entry[0].startsWith("user.") && typeof entry[1] === "string",
    );
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  } catch {
    return undefined; // not s3fs's form: somebody else's entry of that name, which stays as it is
  }
}

/** rclone writes octal with a leading zero, s3fs decimal without one. */
function modeOf(text: string | undefined): number | undefined {
  if (text !== undefined && /^0[0-7]+$/.test(text)) return Number.parseInt(text, 8) & 0o177777;
  const mode = wholeOf(text);
  return mode === undefined ? undefined : mode & 0o177777;
}

function wholeOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value <= UINT32_MAX ? value : undefined;
}

/** `SECONDS.NANOSECONDS`, in two parts: one number would lose digits that a program has set. */
function toSeconds(ms: Milliseconds): string {
  const size = Math.abs(ms);
  const seconds = Math.floor(size / 1000);
  const nanoseconds = Math.min(999_999_999, Math.round((size - seconds * 1000) * 1e6));
  return `${ms < 0 ? "-" : ""}${BigInt(seconds)}.${String(nanoseconds).padStart(9, "0")}`;
}

function fromSeconds(text: string | undefined): Milliseconds | undefined {
  const match = /^(-?)(\d+)(\.\d+)?$/.exec(text ?? "");
  if (match === null) return undefined;
  const ms = Number(match[2]) * 1000 + Number(match[3] ?? 0) * 1000;
  return match[1] === "-" ? -ms : ms;
}

/** rclone's `mtime` with `--metadata` is RFC 3339. */
function rcloneTime(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
