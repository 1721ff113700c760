// What every command has at hand, and the exit code that it leaves.

import type { Surroundings } from "../config/mod.ts";
import type { Registry } from "./registry.ts";
import type { Terminal } from "./terminal.ts";

export interface Context {
  readonly terminal: Terminal;
  readonly around: Surroundings;
  readonly registry: Registry;
  exitCode: number;
}
