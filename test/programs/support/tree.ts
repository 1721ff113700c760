// A tree of files as lines of text, one a file, so that two of them can be compared and a difference can be read.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

export interface TreeOptions {
  /** Times of regular files too. */
  readonly times: boolean;
  /** Paths whose mode and time do not count. */
  readonly forgotten?: RegExp | undefined;
  /** Paths that are left out. */
  readonly except: RegExp | undefined;
}

/** `PATH KIND MODE SIZE CONTENT [MTIME]`, a line a path. */
export async function treeOf(dir: string, options: TreeOptions): Promise<string[]> {
  const names = await namesBelow(dir, "");
  const kept = names.filter((name) => options.except?.test(name) !== true);
  const lines: string[] = [];
  for (const name of kept.toSorted()) lines.push(await lineOf(dir, name, options));
  return lines;
}

/**
 * Not by `readdir` with `recursive`, which asks for the kind of each name synchronously: the store that has to answer is
 * in this thread.
 */
async function namesBelow(dir: string, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(join(dir, prefix), { withFileTypes: true })) {
    const name = join(prefix, entry.name);
    names.push(name);
    if (entry.isDirectory()) names.push(...(await namesBelow(dir, name)));
  }
  return names;
}

async function lineOf(dir: string, name: string, options: TreeOptions): Promise<string> {
  const path = join(dir, name);
  const stats = await lstat(path, { bigint: true });
  const forgotten = options.forgotten?.test(name) === true;
  const mode = forgotten ? "-" : (stats.mode & 0o7777n).toString(8);
  if (stats.isSymbolicLink()) return `${name} -> ${await readlink(path)}`;
  if (stats.isDirectory()) return `${name} directory ${mode}`;
  const line = `${name} file ${mode} ${stats.size} ${await sha256OfFile(path)}`;
  // Times hold to a quarter of a microsecond (S6.1).
  return options.times && !forgotten ? `${line} ${stats.mtimeNs / 1000n} us` : line;
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
