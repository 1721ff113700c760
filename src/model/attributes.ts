// Mode, owner and times of a file: what the catalog and the object's metadata keep.

/** Milliseconds since the epoch, with a fraction where the caller had one (nanoseconds survive to about 0.2 µs). */
export type Milliseconds = number;

export const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;

export interface Attributes {
  /** Type and permission bits, as in `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: Milliseconds;
}

/** What an object's user metadata says of its file: each may be absent. */
export type PartialAttributes = { readonly [K in keyof Attributes]?: Attributes[K] | undefined };

/** Names as rclone and s3fs write them, so that other tools read ours and we theirs. */
const META_MODE = "mode";
const META_UID = "uid";
const META_GID = "gid";
const META_MTIME = "mtime";
/** Which save made the object: how we know our own work again. */
export const META_SAVE = "kodomount-save";

/** User metadata for an object, names without `x-amz-meta-`. mtime in seconds with a fraction. */
export function toMetadata(attributes: Attributes, save: string): Record<string, string> {
  return {
    [META_MODE]: String(attributes.mode),
    [META_UID]: String(attributes.uid),
    [META_GID]: String(attributes.gid),
    [META_MTIME]: toSeconds(attributes.mtimeMs),
    [META_SAVE]: save,
  };
}

/** The reverse, from the metadata of any object; what is absent or makes no sense is left out. */
export function fromMetadata(metadata: Readonly<Record<string, string>>): PartialAttributes {
  const number = (name: string): number | undefined => {
    const text = metadata[name];
    if (text === undefined || text === "") return undefined;
    const value = Number(text);
    return Number.isFinite(value) && value >= 0 ? value : undefined;
  };
  return {
    mode: number(META_MODE),
    uid: number(META_UID),
    gid: number(META_GID),
    mtimeMs: fromSeconds(metadata[META_MTIME]) ?? rcloneTime(metadata[META_MTIME]),
  };
}

/** `SECONDS.NANOSECONDS`, in two parts: one number would lose digits that a program has set. */
function toSeconds(ms: Milliseconds): string {
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6));
  return `${seconds}.${String(nanoseconds).padStart(9, "0")}`;
}

function fromSeconds(text: string | undefined): Milliseconds | undefined {
  const match = /^(\d+)(\.\d+)?$/.exec(text ?? "");
  return match === null ? undefined : Number(match[1]) * 1000 + Number(match[2] ?? 0) * 1000;
}

/** rclone's `mtime` with `--metadata` is RFC 3339. */
function rcloneTime(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
