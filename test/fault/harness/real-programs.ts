// Real programs in the place of what imitates them, where they are installed.

import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import type { Operation, Saved } from "./operations.ts";
import type { ProgramName } from "./programs.ts";

/** @param at.source where a tree like that of the mount has what is to be saved. */
export function realProgram(
  program: ProgramName,
  operations: readonly Operation[],
  at: { source: string; dir: string; root: string },
): Operation[] {
  const saves = savedBy(operations);
  const [first] = saves;
  if (first === undefined) return [...operations];
  const [from, to] = [join(at.source, first.path), join(at.dir, first.path)];
  const made = operations.filter((operation) => operation.do === "mkdir");
  if (program === "cp") return [...made, { do: "run", argv: ["cp", from, to], saves }];
  if (program === "dd") {
    const argv = ["dd", `if=${from}`, `of=${to}`, "bs=64k", "conv=fsync"];
    return [...made, { do: "run", argv, saves }];
  }
  if (program !== "rsync" || spawnSync("sh", ["-c", "command -v rsync"]).status !== 0)
    return [...operations];
  const argv = ["rsync", "-a", `${dirname(from)}/`, `${dirname(to)}/`];
  return [...made, { do: "run", argv, saves }];
}

/** Files that are written once, from their beginning, under the name that their content has. */
function savedBy(operations: readonly Operation[]): Saved[] {
  const sizes = new Map<string, number>();
  for (const operation of operations)
    if (operation.do === "write")
      sizes.set(
        operation.name,
        Math.max(sizes.get(operation.name) ?? 0, operation.at + operation.size),
      );
  return [...sizes].map(([path, size]) => ({ path, name: path, version: 1, size }));
}
