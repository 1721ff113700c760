// The process and machine that a command runs in, as `config` wants to know them.

import { existsSync } from "node:fs";
import os from "node:os";
import type { Surroundings } from "../config/mod.ts";

/** Of this process. */
export function readSurroundings(): Surroundings {
  return {
    env: process.env,
    cwd: process.cwd(),
    home: process.env["HOME"] || os.homedir(),
    isRoot: process.getuid?.() === 0,
    hasFile: existsSync,
  };
}
