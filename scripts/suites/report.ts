// Writes docs/posix.md from the results of the suites: `npm run suite:report`. What is said in words is in
// `exclusions.ts` and `stressors.ts`; numbers are never written by hand.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EXCLUSIONS, exclusionOf, judge } from "./exclusions.ts";
import { LEFT_OUT } from "./stressors.ts";
import { type Case, SUITE_NAMES, type SuiteName, type SuiteResult, TARGET_NAMES } from "./types.ts";

const RESULTS = join(import.meta.dirname, "results");
const PAGE = join(import.meta.dirname, "../../docs/posix.md");

const INTRO = `# Suites that others wrote

What pjdfstest, fsx, fio and stress-ng say of a mount, beside the same runs on s3fs, rclone and the disk. This page is
generated from \`scripts/suites/results/\` by \`npm run suite:report\`.

\`\`\`
npm run suite pjdfstest                      # or fsx, fio, stress-ng, all: installs, mounts, runs, unmounts, removes
npm run suite all -- --out scripts/suites/results --target s3fs --store rgw
\`\`\`

\`--target\` is kodomount, s3fs, rclone or dir (a plain directory: is the harness right?); \`--store\` the embedded one
(\`emulator\`) or Ceph RGW (\`rgw\`), which s3fs and rclone need. \`--only TEXT\` runs cases whose name has it.
`;

await writeFile(PAGE, page(await readResults()));

async function readResults(): Promise<SuiteResult[]> {
  const files = (await readdir(RESULTS)).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    files.map(
      async (name) => JSON.parse(await readFile(join(RESULTS, name), "utf8")) as SuiteResult,
    ),
  );
}

function page(results: readonly SuiteResult[]): string {
  const suites = SUITE_NAMES.filter((name) => results.some(({ suite }) => suite === name));
  const sections = [
    INTRO,
    overview(results, suites),
    byGroup(results),
    mounts(results),
    failures(results),
    exclusions(results),
    leftOut(),
  ];
  return `${sections.join("\n")}`;
}

/** Passed cases of those that are asked for, a row a suite. */
function overview(results: readonly SuiteResult[], suites: readonly SuiteName[]): string {
  const rows = suites.flatMap((suite) => {
    const names = allNames(results, suite);
    const asked = names.filter((name) => exclusionOf(suite, name) === undefined);
    const row = (title: string, counted: readonly string[]): string =>
      tableRow(title, ...columns(results, suite, counted));
    const all = row(`${suite}, ${names.length} cases`, names);
    if (asked.length === names.length) return [all];
    return [all, row(`${suite}, the ${asked.length} that are not excluded below`, asked)];
  });
  return [
    "## What passes\n",
    "Passed cases, and in brackets what the suite itself did not run there. A case that was not reached counts as failed.\nThe 13 cases of pjdfstest that are not run remount the filesystem read-only meanwhile: not asked of any of the four.\n",
    tableHead("", ...TARGET_NAMES.map(titleOf)),
    ...rows,
    "",
  ].join("\n");
}

function columns(
  results: readonly SuiteResult[],
  suite: SuiteName,
  names: readonly string[],
): string[] {
  return TARGET_NAMES.map((target) => {
    const result = results.find((each) => each.suite === suite && each.target === target);
    if (result === undefined) return "not run";
    const { cases, only = "" } = result;
    const wanted = names.filter((name) => name.includes(only));
    const counted = cases.filter(({ name }) => wanted.includes(name));
    const passed = counted.filter(({ outcome }) => outcome === "passed").length;
    const skipped = counted.filter(({ outcome }) => outcome === "skipped").length;
    const possible = wanted.length - skipped;
    const numbers = passed === possible ? `**all ${passed}**` : `${passed} of ${possible}`;
    return `${numbers}${skipped === 0 ? "" : ` (${skipped})`}${only === "" ? "" : `, ${only} only`}`;
  });
}

/** pjdfstest by system call. */
function byGroup(results: readonly SuiteResult[]): string {
  const suite = "pjdfstest";
  const names = allNames(results, suite).filter((name) => exclusionOf(suite, name) === undefined);
  const groups = [...new Set(names.map((name) => name.split("::")[0] ?? ""))].sort();
  return [
    "pjdfstest by system call, without what is excluded:\n",
    tableHead("", ...TARGET_NAMES.map(titleOf)),
    ...groups.map((group) =>
      tableRow(
        group,
        ...columns(
          results,
          suite,
          names.filter((name) => name.startsWith(`${group}::`)),
        ),
      ),
    ),
    "",
  ].join("\n");
}

function mounts(results: readonly SuiteResult[]): string {
  const lines = new Set<string>();
  for (const { target, what, store } of results)
    lines.add(
      `- ${titleOf(target)}: ${what}${store === "none" ? "" : `, over ${storeName(store)}`}`,
    );
  for (const { suite, tool } of results) lines.add(`- ${suite}: ${tool}`);
  return ["## What ran\n", ...[...lines].sort(), ""].join("\n");
}

/** What fails on kodomount, cases of one reason together. */
function failures(results: readonly SuiteResult[]): string {
  const rows = results
    .filter(({ target }) => target === "kodomount")
    .flatMap(({ suite, cases }) => {
      const byDetail = new Map<string, Case[]>();
      for (const each of judge(suite, cases).failed) {
        const detail = tidy(each.detail ?? "");
        byDetail.set(detail, [...(byDetail.get(detail) ?? []), each]);
      }
      return [...byDetail].map(([detail, list]) =>
        tableRow(suite, list.map(({ name }) => name).join(", "), detail),
      );
    });
  if (rows.length === 0) return "## What fails on kodomount\n\nNothing.\n";
  return [
    "## What fails on kodomount\n",
    tableHead("Suite", "Cases", "What they say"),
    ...rows,
    "",
  ].join("\n");
}

function exclusions(results: readonly SuiteResult[]): string {
  const rows = EXCLUSIONS.map(({ suite, pattern, what, why }) => {
    const names = allNames(results, suite).filter((name) => pattern.test(name));
    return tableRow(suite, what, String(names.length), why);
  });
  const passing = results
    .filter(({ target }) => target === "kodomount")
    .flatMap(({ suite, cases }) =>
      cases.filter(
        ({ name, outcome }) => outcome === "passed" && exclusionOf(suite, name) !== undefined,
      ),
    );
  return [
    "## What is excluded, and why\n",
    tableHead("Suite", "What", "Cases", "Why"),
    ...rows,
    "",
    `Of the excluded cases ${passing.length} pass on kodomount all the same.`,
    "",
  ].join("\n");
}

function leftOut(): string {
  return [
    "Stressors of stress-ng's class `filesystem` that are not run:\n",
    tableHead("Stressors", "Why"),
    ...Object.entries(LEFT_OUT).map(([names, why]) => tableRow(names, why)),
    "",
  ].join("\n");
}

function allNames(results: readonly SuiteResult[], suite: SuiteName): string[] {
  const names = results
    .filter((each) => each.suite === suite)
    .flatMap(({ cases }) => cases.map(({ name }) => name));
  return [...new Set(names)];
}

function titleOf(target: SuiteResult["target"]): string {
  return target === "dir" ? "ext4" : target;
}

function storeName(store: string): string {
  return store === "rgw" ? "Ceph RGW 16.2" : "the embedded store";
}

/** Without paths of the run, which are others each time. */
function tidy(detail: string): string {
  return detail
    .replaceAll(/\/tmp\/kodomount-suites-\w+\/mnt/g, "MNT")
    .replaceAll(/thread 'main' \(\d+\) panicked at \S+ /g, "")
    .replaceAll(/tmp-stress-ng-([a-z-]+)-\d+-\d+/g, "$1")
    .replaceAll("|", "\\|")
    .slice(0, 300);
}

function tableHead(...cells: readonly string[]): string {
  return `${tableRow(...cells)}\n${tableRow(...cells.map(() => "---"))}`;
}

function tableRow(...cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
