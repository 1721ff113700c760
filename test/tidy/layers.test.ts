// Holds the imports of src/ against the column of modules.

import { describe, expect, test } from "vitest";
import { forbiddenImports, MAY_IMPORT } from "./layers.ts";
import { filesBelow } from "./tree.ts";

describe("layers", () => {
  test("every import of src/ follows the column, by the doors", () => {
    const files = filesBelow(["src"], /\.ts$/);
    expect(files.length).toBeGreaterThan(30);
    expect(files.flatMap(forbiddenImports)).toEqual([]);
  });

  test("the table itself has no cycle", () => {
    const seen = new Set<string>();
    const path: string[] = [];
    const visit = (name: string): void => {
      expect(path, `a cycle by ${name}`).not.toContain(name);
      if (seen.has(name)) return;
      path.push(name);
      for (const next of MAY_IMPORT[name] ?? []) visit(next);
      path.pop();
      seen.add(name);
    };
    for (const name of Object.keys(MAY_IMPORT)) visit(name);
    expect(seen.size).toBe(Object.keys(MAY_IMPORT).length);
  });

  test.each([
    ["upwards", "src/spill/x.ts", 'import { a } from "../publish/mod.ts";'],
    ["to a sibling", "src/catalog/x.ts", 'import { a } from "../spill/mod.ts";'],
    ["past the door", "src/fs/x.ts", 'import type { A } from "../spill/spill.ts";'],
    ["through its own door", "src/fs/x.ts", 'import { a } from "./mod.ts";'],
    ["without the ending", "src/fs/x.ts", 'import { a } from "./view";'],
    ["out of src/", "src/fs/x.ts", 'import { a } from "../../test/support/world.ts";'],
    ["from base upwards", "src/base/x.ts", 'import { a } from "../model/mod.ts";'],
    ["by an export", "src/load/x.ts", 'export {\n  a,\n  b,\n} from "../fs/mod.ts";'],
    ["dynamically", "src/emulator/x.ts", 'const m = await import("../store/mod.ts");'],
    ["of another's package", "src/fs/x.ts", 'import { LRUCache } from "lru-cache";'],
    ["of a package that nobody owns", "src/fs/x.ts", 'import x from "left-pad";'],
    ["in a module that is not in the table", "src/extra/x.ts", ""],
  ])("refuses an import %s", (_, path, text) => {
    expect(forbiddenImports({ path, text })).toHaveLength(1);
  });

  test("accepts what the table allows", () => {
    const text = [
      'import { invariant } from "../base/mod.ts";',
      'import type { Key } from "../model/mod.ts";',
      'import { Spill } from "../spill/mod.ts";',
      'import { helper } from "./helper.ts";',
      'import { readFile } from "node:fs/promises";',
      '// import { x } from "../fuse/mod.ts" would be wrong',
    ].join("\n");
    expect(forbiddenImports({ path: "src/publish/x.ts", text })).toEqual([]);
  });
});
