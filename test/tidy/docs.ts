// Checks of Markdown files: titles, links, clauses and the table of errors.

import { posix } from "node:path";
import type { SourceFile } from "./tree.ts";

/** Markdown without what stands in fenced blocks. */
function prose(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "");
}

/** Exactly one `# ` title, on the first line. */
export function wrongTitle({ path, text }: SourceFile): string[] {
  const titles = prose(text)
    .split("\n")
    .filter((line) => line.startsWith("# "));
  if (titles.length !== 1) return [`${path}: ${titles.length} titles, not one`];
  return text.startsWith("# ") ? [] : [`${path}: does not begin with its title`];
}

/** Relative links whose file or heading is not there. `find` gives a file's text, or undefined. */
export function deadLinks(
  { path, text }: SourceFile,
  find: (path: string) => string | undefined,
): string[] {
  const dead: string[] = [];
  for (const [, target = ""] of prose(text).matchAll(/\]\(([^()\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file = "", anchor] = target.split("#");
    const at = file === "" ? path : posix.join(posix.dirname(path), file);
    const found = find(at.replace(/\/$/, ""));
    if (found === undefined) dead.push(`${path}: ${target}: no such file`);
    else if (anchor !== undefined && !anchorsOf(found).has(anchor))
      dead.push(`${path}: ${target}: no such heading`);
  }
  return dead;
}

/** Anchors of headings, as GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const headings = [...prose(text).matchAll(/^#+ (.*)$/gm)].map((match) => match[1] ?? "");
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** Numbers of the clauses of docs/semantics.md, as `S1.2`, in order. */
export function clausesOf(text: string): string[] {
  return [...text.matchAll(/\*\*(S\d+\.\d+)\*\*/g)].map((match) => match[1] ?? "");
}

/** Clauses that no test names. */
export function clausesWithoutTest(clauses: readonly string[], tests: string): string[] {
  const named = new Set(tests.match(/\bS\d+\.\d+\b/g) ?? []);
  return clauses.filter((clause) => !named.has(clause));
}

/** Clauses that tests name and that are not in the document. */
export function unknownClauses(clauses: readonly string[], tests: string): string[] {
  const named = new Set(tests.match(/\bS\d+\.\d+\b/g) ?? []);
  return [...named].filter((clause) => !clauses.includes(clause));
}

/** Rows "| `Code` | `ERRNO` | ..." of the section "Errors" of docs/semantics.md. */
export function errorRows(text: string): Map<string, string> {
  const section = /^## Errors$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(text)?.[1] ?? "";
  return new Map(
    [...section.matchAll(/^\| `(\w+)` \| `(\w+)` \|/gm)].map(
      (match) => [match[1] ?? "", match[2] ?? ""] as const,
    ),
  );
}
