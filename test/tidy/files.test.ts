// Length and first comment of every source file. Lengths of functions are the linter's: test/tidy/lint.test.ts.

import { describe, expect, test } from "vitest";
import { hasNoHead, isTooLong } from "./files.ts";
import { filesBelow } from "./tree.ts";

const sources = filesBelow(["src", "test", "scripts", ".ci"], /\.(ts|sh)$|^\.ci\/run$/);

describe("files", () => {
  test("no source file is too long", () => {
    expect(sources.flatMap(isTooLong)).toEqual([]);
  });

  test("every source file begins with what it is for", () => {
    expect(sources.flatMap(hasNoHead)).toEqual([]);
  });

  test("a file that is too long is found", () => {
    expect(isTooLong({ path: "src/x.ts", text: "a\n".repeat(401) })).toHaveLength(1);
    expect(isTooLong({ path: "src/x.ts", text: "a\n".repeat(400) })).toEqual([]);
  });

  test.each([
    ["src/x.ts", 'import "y";\n'],
    ["src/x.ts", "// a\n".repeat(6)],
    ["src/x.ts", ""],
    ["scripts/x.sh", "#!/bin/sh\nset -e\n"],
  ])("%s without a proper head is found", (path, text) => {
    expect(hasNoHead({ path, text })).toHaveLength(1);
  });
});
