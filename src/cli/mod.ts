// Door of `cli`: the command line.

export { run } from "./program.ts";
export { readSurroundings } from "./surroundings.ts";
export type { Terminal } from "./terminal.ts";
