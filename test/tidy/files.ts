// What every source file has: a comment on top that says what it is for, and a bounded length.

import type { SourceFile } from "./tree.ts";

const LINES_MAX = 400;
const HEAD_MAX = 5;

export function isTooLong({ path, text }: SourceFile): string[] {
  const lines = text.split("\n").length - 1;
  return lines > LINES_MAX ? [`${path}: ${lines} lines, at most ${LINES_MAX}`] : [];
}

/** A comment of one to five lines on top, below a `#!` line if there is one. */
export function hasNoHead({ path, text }: SourceFile): string[] {
  const lines = text.split("\n");
  if (lines[0]?.startsWith("#!")) lines.shift();
  const marker = path.endsWith(".ts") ? "// " : "# ";
  const count = lines.findIndex((line) => !line.startsWith(marker));
  if (count < 1) return [`${path}: does not begin with a comment that says what it is for`];
  return count > HEAD_MAX
    ? [`${path}: begins with ${count} lines of comment, at most ${HEAD_MAX}`]
    : [];
}
