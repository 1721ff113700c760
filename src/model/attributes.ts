// Mode, owner, times and extended attributes of a file or directory: what the catalog keeps of it.

/** Milliseconds since the epoch, with a fraction where the caller had one (nanoseconds survive to about 0.2 µs). */
export type Milliseconds = number;

export const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;
export const S_IFIFO = 0o010000;
export const S_IFSOCK = 0o140000;

export interface Attributes {
  /** Type and permission bits, as in `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: Milliseconds;
  /** When content or attributes were changed last; absent where nobody has noted it. */
  readonly ctimeMs?: Milliseconds;
  /** User xattrs by name, `user.` included; values in base64. Absent: none. */
  readonly xattrs?: Xattrs;
}

export type Xattrs = Readonly<Record<string, string>>;
