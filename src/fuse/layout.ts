// Numbers of the kernel's protocol: include/uapi/linux/fuse.h, version 7.45. All fields are little-endian on the machines
// that Node runs on. Sizes are those of the structs for minor >= 23.

export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

/** Bytes of the structs in front of names and data. */
export const Size = {
  IN_HEADER: 40,
  OUT_HEADER: 16,
  ATTR: 88,
  ATTR_OUT: 104,
  ENTRY_OUT: 128,
  OPEN_OUT: 16,
  WRITE_OUT: 8,
  STATFS_OUT: 80,
  LSEEK_OUT: 8,
  INIT_OUT: 64,
  DIRENT: 24,
  WRITE_IN: 40,
  CREATE_IN: 16,
  MKNOD_IN: 16,
  MKDIR_IN: 8,
  LINK_IN: 8,
  RENAME_IN: 8,
  RENAME2_IN: 16,
  SETXATTR_IN: 8,
  GETXATTR_IN: 8,
  GETXATTR_OUT: 8,
  BATCH_FORGET_IN: 8,
  FORGET_ONE: 16,
} as const;

/** A request that is sent again after a take-over has this bit in its `unique`; the reply repeats it. */
export const UNIQUE_RESENT: bigint = 1n << 63n;

/** `valid` of SETATTR. FH, LOCKOWNER and CTIME tell us nothing that we use. */
export const Fattr = {
  MODE: 0x1,
  UID: 0x2,
  GID: 0x4,
  SIZE: 0x8,
  ATIME: 0x10,
  MTIME: 0x20,
  ATIME_NOW: 0x80,
  MTIME_NOW: 0x100,
  KILL_SUIDGID: 0x800,
} as const;

/** `open_flags` of the reply to OPEN and CREATE. */
export const Fopen = { DIRECT_IO: 0x1, KEEP_CACHE: 0x2, NOFLUSH: 0x20 } as const;

/** `open_flags` of the requests OPEN and CREATE. */
export const OPEN_KILL_SUIDGID: number = 1 << 0;
/** `write_flags`: the kernel writes back pages, no program waits in write(2). */
export const WRITE_CACHE: number = 1 << 0;
export const WRITE_KILL_SUIDGID: number = 1 << 2;
/** `flags` of SETXATTR. */
export const XATTR_CREATE: number = 1 << 0;
export const XATTR_REPLACE: number = 1 << 1;
export const FSYNC_DATA_ONLY: number = 1 << 0;
export const RENAME_NOREPLACE: number = 1 << 0;
export const RENAME_EXCHANGE: number = 1 << 1;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** Bit numbers of the flags of INIT; 32 and above travel in `flags2`. */
export const InitFlag = {
  ASYNC_READ: 0,
  ATOMIC_O_TRUNC: 3,
  BIG_WRITES: 5,
  AUTO_INVAL_DATA: 12,
  DO_READDIRPLUS: 13,
  READDIRPLUS_AUTO: 14,
  PARALLEL_DIROPS: 18,
  MAX_PAGES: 22,
  HANDLE_KILLPRIV_V2: 28,
  INIT_EXT: 30,
  DIRECT_IO_ALLOW_MMAP: 36,
  HAS_RESEND: 39,
} as const;

/** What `fs.fuse.max_pages_limit` allows by default: 256 pages. Larger requests brought nothing. */
export const WRITE_SIZE_MAX: number = 1024 * 1024;
/** A read(2) of the device with less room than a header and the largest WRITE fails with EINVAL. */
export const MESSAGE_SIZE_MAX: number = WRITE_SIZE_MAX + 4096;
