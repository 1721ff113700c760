// Door of `fs`: the filesystem without FUSE.

export type { ArchiveStatus } from "./archives.ts";
export type { FilesystemOptions } from "./core.ts";
export { errnoFor } from "./errno.ts";
export { createFilesystem, KodoFilesystem } from "./filesystem.ts";
export type * from "./types.ts";
