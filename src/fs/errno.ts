// The one table from our codes to errno. A comment stands where the choice was a judgement.

import { constants } from "node:os";
import { type Code, codeOf } from "../base/mod.ts";

const { errno } = constants;

const ERRNO: Readonly<Record<Code, number>> = {
  NotFound: errno.ENOENT,
  Exists: errno.EEXIST,
  NotDirectory: errno.ENOTDIR,
  IsDirectory: errno.EISDIR,
  NotEmpty: errno.ENOTEMPTY,
  NameTooLong: errno.ENAMETOOLONG,
  // ext4 with a UTF-8 encoding and ZFS with utf8only answer the same.
  NameNotUtf8: errno.EILSEQ,
  Invalid: errno.EINVAL,
  BadHandle: errno.EBADF,
  ReadOnlyMount: errno.EROFS,
  NotPermitted: errno.EPERM,
  NotSupported: errno.EOPNOTSUPP,
  NotImplemented: errno.ENOSYS,
  CrossDevice: errno.EXDEV,
  NotTerminal: errno.ENOTTY,
  NoAttribute: errno.ENODATA,
  TooLarge: errno.EFBIG,
  NoSpace: errno.ENOSPC,
  Interrupted: errno.EINTR,
  Stale: errno.ESTALE,
  Busy: errno.EBUSY,
  // As of a pipe: what went by cannot be sought. EIO would be taken for a fault.
  Evicted: errno.ESPIPE,
  Io: errno.EIO,
  Corrupt: errno.EIO,
  Programmer: errno.EIO,
  Config: errno.EINVAL,
  NoSuchUpload: errno.EIO,
  // The bucket went away under the mount: not ENOENT, which programs take for "no such file yet".
  NoSuchBucket: errno.EIO,
  PreconditionFailed: errno.ESTALE,
  Conflict: errno.ESTALE,
  // EACCES and not EPERM: programs take EPERM on close for a broken filesystem, EACCES for missing rights.
  AccessDenied: errno.EACCES,
  BadCredentials: errno.EACCES,
  WrongRegion: errno.EIO,
  ClockSkewed: errno.EIO,
  QuotaExceeded: errno.EDQUOT,
  BadDigest: errno.EIO,
  BadReply: errno.EIO,
  BadPart: errno.EIO,
  // There, but not readable now; ENODATA would look like a missing attribute.
  Archived: errno.EACCES,
  Rejected: errno.EIO,
  Unavailable: errno.EIO,
  TimedOut: errno.ETIMEDOUT,
  // What local programs know as "try later"; ENETUNREACH is not expected from a file.
  Unreachable: errno.EIO,
};

/** The positive errno for anything thrown; what is not a `KodomountError` is EIO. */
export function errnoFor(thrown: unknown): number {
  return ERRNO[codeOf(thrown)];
}
