// The files of the project as text, for the tests that check the code itself.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What git does not track. */
const SKIPPED = new Set([".git", "node_modules", "dist", "build", "coverage"]);

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Files below `dirs` (relative to the root; `.` for all) whose path matches. */
export function filesBelow(dirs: readonly string[], matching: RegExp): SourceFile[] {
  return dirs
    .flatMap((dir) => [...pathsBelow(dir)])
    .filter((path) => matching.test(path))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** Whether there is such a file or directory. */
export function isInTree(path: string): boolean {
  return existsSync(join(ROOT, path));
}

function* pathsBelow(dir: string): Generator<string> {
  if (!isInTree(dir)) return;
  for (const entry of readdirSync(join(ROOT, dir), { withFileTypes: true })) {
    if (SKIPPED.has(entry.name)) continue;
    const path = dir === "." ? entry.name : `${dir}/${entry.name}`;
    if (entry.isDirectory()) yield* pathsBelow(path);
    else if (entry.isFile()) yield path;
  }
}

/** Lines that match, as `path:line: text`. */
export function linesWith(file: SourceFile, pattern: RegExp): string[] {
  return file.text
    .split("\n")
    .flatMap((line, index) =>
      pattern.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : [],
    );
}
