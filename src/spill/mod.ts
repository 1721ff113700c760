// Door of `spill`: the bytes on the local disk.

export type { PartRequest } from "./budget.ts";
export { type DiskSpace, type FileStat, nodeIo, type SpillIo } from "./io.ts";
export type { Made, Relief } from "./relief.ts";
export { type PartRef, parsePartName } from "./save-files.ts";
export { type Head, Spill, type SpillOptions } from "./spill.ts";
