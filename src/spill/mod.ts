// Door of `spill`: the bytes on the local disk.

export { nodeIo, type SpillIo } from "./io.ts";
export { type Head, type PartRef, Spill, type SpillOptions } from "./spill.ts";
