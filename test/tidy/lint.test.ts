// The linter's configuration does what we think: each rule that we rely on fires on a planted fault. A glob or a plug-in
// that silently switches a rule off would otherwise go unseen.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SLOW = "export async function slow(): Promise<number> {\n  return 1;\n}\n";

/** A fault in `src/fs/`, by the rule that must find it. */
const FAULTS: Readonly<Record<string, string>> = {
  "typescript(no-floating-promises)": `${SLOW}export function f(): void {\n  slow();\n}\n`,
  "typescript(no-misused-promises)": `${SLOW}export function f(): void {\n  [1].forEach(async () => {\n    await slow();\n  });\n}\n`,
  "typescript(return-await)": `${SLOW}export async function f(): Promise<number> {\n  try {\n    return slow();\n  } catch {\n    return 2; // lost\n  }\n}\n`,
  "typescript(switch-exhaustiveness-check)":
    'export function f(kind: "a" | "b"): number {\n  switch (kind) {\n    case "a":\n      return 1;\n  }\n  return 2;\n}\n',
  "typescript(only-throw-error)": 'export function f(): never {\n  throw { code: "x" };\n}\n',
  "typescript(no-explicit-any)": "export function f(x: any): unknown {\n  return x;\n}\n",
  "typescript(no-non-null-assertion)":
    "export function f(x: string | undefined): string {\n  return x!;\n}\n",
  "import(no-default-export)": "export default 1;\n",
  "eslint(max-lines-per-function)": `export function f(): void {\n${"  f();\n".repeat(70)}}\n`,
  "eslint(max-lines)": `export const x = 1;\n${"// .\n".repeat(400)}`,
  "eslint(max-params)":
    "export function f(a: 1, b: 2, c: 3, d: 4, e: 5): unknown[] {\n  return [a, b, c, d, e];\n}\n",
  "eslint(no-console)": "console.log(1);\nexport const x = 1;\n",
  "eslint(no-empty)": "export function f(): void {\n  try {\n    f();\n  } catch {}\n}\n",
};

/** `void` on a promise loses it just as well. */
const VOID = `${SLOW}export function f(): void {\n  void slow();\n}\n`;

let dir: string;
let found: Map<string, Set<string>>;

beforeAll(() => {
  // Below the repository's name for the globs of the configuration: `**/src/cli/**` and the like.
  dir = mkdtempSync(join(tmpdir(), "kodomount-lint-"));
  put("tsconfig.json", '{"compilerOptions":{"strict":true,"module":"nodenext","types":[]}}');
  put("package.json", '{"type":"module"}');
  Object.values(FAULTS).forEach((text, index) => put(`src/fs/fault-${index}.ts`, text));
  put("src/fs/void.ts", VOID);
  put("src/fs/a.ts", 'import { b } from "./b.ts";\nexport const a = (): unknown => b;\n');
  put("src/fs/b.ts", 'import { a } from "./a.ts";\nexport const b = (): unknown => a;\n');
  put("src/cli/console.ts", "console.log(1);\nexport const x = 1;\n");
  put("test/unit/long.test.ts", `export function f(): void {\n${"  f();\n".repeat(100)}}\n`);
  found = lint();
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}

/** Rules that fired, by file. */
function lint(): Map<string, Set<string>> {
  const args = [
    "--type-aware",
    "-c",
    join(ROOT, "scripts/oxlint.json"),
    "-f",
    "json",
    "src",
    "test",
  ];
  let output: string;
  try {
    output = execFileSync(join(ROOT, "node_modules/.bin/oxlint"), args, {
      cwd: dir,
      encoding: "utf8",
      // Otherwise looked for in the working directory and in PATH.
      env: { ...process.env, OXLINT_TSGOLINT_PATH: join(ROOT, "node_modules/.bin/tsgolint") },
    });
  } catch (error) {
    // It found something, so it ends with 1; what it printed is what we came for.
    output = error instanceof Error && "stdout" in error ? String(error.stdout) : "";
  }
  const rules = new Map<string, Set<string>>();
  for (const { filename, code } of parse(output))
    rules.set(filename, (rules.get(filename) ?? new Set()).add(code));
  return rules;
}

function parse(output: string): { filename: string; code: string }[] {
  const report = JSON.parse(output) as { diagnostics: { filename: string; code: string }[] };
  return report.diagnostics;
}

describe("linter", () => {
  test.each(Object.keys(FAULTS).map((rule, index) => [rule, `src/fs/fault-${index}.ts`]))(
    "%s fires",
    (rule, path) => {
      expect([...(found.get(path) ?? [])]).toContain(rule);
    },
  );

  test("a promise that is thrown away by `void` is found", () => {
    expect([...(found.get("src/fs/void.ts") ?? [])]).toContain("typescript(no-floating-promises)");
  });

  test("a cycle of imports is found", () => {
    expect([...(found.get("src/fs/a.ts") ?? [])]).toContain("import(no-cycle)");
  });

  test("the commands may print, and tests may be long", () => {
    expect([...(found.get("src/cli/console.ts") ?? [])]).toEqual([]);
    expect([...(found.get("test/unit/long.test.ts") ?? [])]).toEqual([]);
  });
});
