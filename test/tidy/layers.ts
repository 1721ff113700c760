// The column of modules as data, and the check of import lines against it. docs/architecture.md draws the same column.

import { posix } from "node:path";
import type { SourceFile } from "./tree.ts";

const BELOW_ALL = ["base", "model"];
const EVERYTHING = [
  "config",
  "control",
  "fuse",
  "emulator",
  "fs",
  "publish",
  "load",
  "send",
  "spill",
  "catalog",
  "store",
  "salvage",
];

/** What a module may import beside `base` and `model`. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ["cli"],
  cli: EVERYTHING,
  control: ["fs", "publish"],
  fuse: ["fs"],
  fs: ["publish", "load", "spill", "catalog"],
  publish: ["send", "spill", "catalog", "store"],
  load: ["store", "catalog"],
  send: ["store", "spill"],
  // It must not share code with the client that it tests.
  emulator: [],
  config: [],
  salvage: ["catalog", "spill"],
  catalog: [],
  spill: [],
  store: [],
  model: [],
  base: [],
};

/** Packages of others, each imported by its owners only. */
const OWNERS: readonly { package: RegExp; owner: RegExp }[] = [
  { package: /^(commander|pino)$/, owner: /^cli$/ },
  { package: /^zod$/, owner: /^config$/ },
  { package: /^lru-cache$/, owner: /^load$/ },
  { package: /^level$/, owner: /^catalog$/ },
  { package: /^(@aws-sdk|@smithy)\//, owner: /^store$/ },
  { package: /^fast-xml-parser$/, owner: /^emulator$/ },
  { package: /^node:worker_threads$/, owner: /^(base|send|load)$/ },
  // Only where the worker is started from source, as tests do: never in dist/.
  { package: /^tsx\//, owner: /^base$/ },
];

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b(?:[^"';=()]*?\bfrom\b)?\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/g;

/** Imports of a file below `src/` that the column forbids, one sentence each. */
export function forbiddenImports(file: SourceFile): string[] {
  const from = moduleOf(file.path);
  const allowed = MAY_IMPORT[from];
  if (allowed === undefined) return [`${file.path}: '${from}' is not in the table of modules`];
  return importsOf(file.text).flatMap((target) => {
    const why = target.startsWith(".")
      ? refuseOwn(file.path, target, allowed)
      : refuseForeign(from, target);
    return why === undefined ? [] : [`${file.path}: ${target}: ${why}`];
  });
}

function importsOf(text: string): string[] {
  const code = text.replace(/^\s*\/\/.*$/gm, "").replace(/\/\*[\s\S]*?\*\//g, "");
  return [...code.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? "");
}

/** `src/fs/files.ts` -> `fs`; `src/main.ts` -> `main`. */
function moduleOf(path: string): string {
  return (path.split("/")[1] ?? "").replace(/\.ts$/, "");
}

function refuseOwn(path: string, target: string, allowed: readonly string[]): string | undefined {
  if (target === "../../package.json" && path === "src/cli/version.ts") return undefined;
  if (!target.endsWith(".ts")) return "a relative import ends with .ts";
  const resolved = posix.join(posix.dirname(path), target);
  if (!resolved.startsWith("src/")) return "leads out of src/";
  const from = moduleOf(path);
  const to = moduleOf(resolved);
  if (to === from) return target.endsWith("/mod.ts") ? "through its own door" : undefined;
  if (from === "base") return "base imports no other module";
  if (from === "model" && to !== "base") return "model imports base only";
  if (![...BELOW_ALL, ...allowed].includes(to)) return `${from} may not import ${to}`;
  if (from !== "main" && !resolved.endsWith("/mod.ts")) return "not by the door mod.ts";
  return undefined;
}

function refuseForeign(from: string, target: string): string | undefined {
  const owned = OWNERS.find((owner) => owner.package.test(target));
  if (owned !== undefined)
    return owned.owner.test(from) ? undefined : `only ${owned.owner.source} may import it`;
  return target.startsWith("node:") ? undefined : "a package without an owner in this table";
}
