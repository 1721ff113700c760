// Which stressors of stress-ng are run, with options that bound what they write: a store is behind it.

const BYTES = "64m";

/** Name of the stressor, more options. */
export const STRESSORS: Readonly<Record<string, readonly string[]>> = {
  access: [],
  aio: [],
  chdir: ["--chdir-dirs", "256"],
  chmod: [],
  chown: [],
  "copy-file": ["--copy-file-bytes", "128m"],
  dentry: ["--dentries", "256"],
  dir: ["--dir-dirs", "256"],
  dirdeep: ["--dirdeep-dirs", "2", "--dirdeep-inodes", "500"],
  dirmany: [],
  dnotify: [],
  fallocate: ["--fallocate-bytes", BYTES],
  fanotify: [],
  fcntl: [],
  fiemap: ["--fiemap-bytes", BYTES],
  "file-ioctl": [],
  filename: ["--filename-opts", "posix"],
  flock: [],
  fpunch: [],
  fsize: [],
  fstat: [],
  getdent: [],
  handle: [],
  hdd: ["--hdd-bytes", BYTES],
  inotify: [],
  io: [],
  iomix: ["--iomix-bytes", BYTES],
  lease: [],
  link: [],
  locka: [],
  lockf: [],
  lockofd: [],
  mknod: [],
  mmap: ["--mmap-file", "--mmap-bytes", "16m"],
  open: [],
  readahead: ["--readahead-bytes", BYTES],
  rename: [],
  revio: ["--revio-bytes", BYTES],
  seek: ["--seek-size", BYTES],
  sendfile: [],
  symlink: [],
  "sync-file": ["--sync-file-bytes", BYTES],
  touch: [],
  utime: [],
  xattr: [],
};

/** Stressors of stress-ng's class `filesystem` that are not run, each with its reason. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  "bind-mount, binderfs": "They mount filesystems of their own and never touch the directory.",
  "eventfd, ioprio, procfs": "They work on event counters, priorities and /proc.",
  "chattr, inode-flags, verity":
    "They are ioctls of ext4, xfs and btrfs; stress-ng skips them on any FUSE mount.",
  dup: "It duplicates descriptors of /dev/zero.",
};
