// Documents are whole and true: one title each, no dead link, every promise tested, every error explained.

import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { CODES, KodomountError } from "../../src/base/mod.ts";
import { errnoFor } from "../../src/fs/mod.ts";
import {
  clausesOf,
  clausesWithoutTest,
  deadLinks,
  errorRows,
  unknownClauses,
  wrongTitle,
} from "./docs.ts";
import { filesBelow, isInTree } from "./tree.ts";

const documents = filesBelow(["."], /\.md$/);
const semantics = documents.find(({ path }) => path === "docs/semantics.md")?.text ?? "";
const tests = filesBelow(["test"], /\.ts$/)
  .filter(({ path }) => !path.startsWith("test/tidy/"))
  .map(({ text }) => text)
  .join("\n");

function find(path: string): string | undefined {
  const text = documents.find((document) => document.path === path)?.text;
  return text ?? (isInTree(path) ? "" : undefined);
}

describe("documents", () => {
  test("each has one title, on top", () => {
    expect(documents.length).toBeGreaterThan(5);
    expect(documents.flatMap(wrongTitle)).toEqual([]);
  });

  test("no relative link is dead", () => {
    expect(documents.flatMap((document) => deadLinks(document, find))).toEqual([]);
  });

  test("a missing, a second and a late title are found", () => {
    for (const text of ["text\n", "# a\n# b\n", "text\n# a\n"])
      expect(wrongTitle({ path: "x.md", text })).toHaveLength(1);
    expect(wrongTitle({ path: "x.md", text: "# a\n```\n# a comment in sh\n```\n" })).toEqual([]);
  });

  test("dead links to files and headings are found", () => {
    const look = (path: string): string | undefined =>
      path === "docs/b.md" ? "# B\n## 2 Of `x`, and y\n" : undefined;
    const at = (text: string): string[] => deadLinks({ path: "docs/a.md", text }, look);
    expect(at("[b](c.md)")).toHaveLength(1);
    expect(at("[b](b.md#none)")).toHaveLength(1);
    expect(at("[b](b.md#2-of-x-and-y) [w](https://example.org/x)")).toEqual([]);
  });
});

describe("semantics", () => {
  const clauses = clausesOf(semantics);

  test("clauses have numbers of their own", () => {
    expect(clauses.length).toBeGreaterThan(20);
    expect(new Set(clauses).size).toBe(clauses.length);
  });

  test("every clause is named by a test", () => {
    expect(clausesWithoutTest(clauses, tests)).toEqual([]);
  });

  test("tests name no clause that is not there", () => {
    expect(unknownClauses(clauses, tests)).toEqual([]);
  });

  test("a clause without a test, and a test without a clause, are found", () => {
    expect(clausesOf("- **S1.1** a\n- **S1.10** b")).toEqual(["S1.1", "S1.10"]);
    expect(clausesWithoutTest(["S1.1", "S1.10"], 'test("S1.10 b")')).toEqual(["S1.1"]);
    expect(unknownClauses(["S1.1"], 'test("S1.1 a, S9.1")')).toEqual(["S9.1"]);
  });
});

describe("errors", () => {
  const rows = errorRows(semantics);

  test("every code is in the table, with the errno that programs see", () => {
    const errno = new Map(Object.entries(constants.errno));
    const shown = CODES.map((code) => [code, errno.get(rows.get(code) ?? "")]);
    const real = CODES.map((code) => [code, errnoFor(new KodomountError(code, "x"))]);
    expect(shown).toEqual(real);
    expect([...rows.keys()].sort()).toEqual([...CODES].sort());
  });

  test("rows are read from the section only", () => {
    const text = "## Errors\n| `A` | `EIO` | x |\n## Next\n| `B` | `EIO` | y |\n";
    expect([...errorRows(text)]).toEqual([["A", "EIO"]]);
  });
});
