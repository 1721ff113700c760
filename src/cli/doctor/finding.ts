// What the doctor finds: one sentence for each thing that was looked at, and what to do where something is wrong.

import { printable } from "../text-width.ts";

/** `note`: worth knowing; only `fail` makes the exit code 1. */
export type Verdict = "ok" | "note" | "fail";

export interface Finding {
  /** `machine`, `leftovers`, or the source. */
  readonly about: string;
  readonly check: string;
  readonly verdict: Verdict;
  readonly found: string;
  /** What to do. */
  readonly advice?: string | undefined;
}

/** Findings about one thing. */
export type Said = Omit<Finding, "about">;

export function ok(check: string, found: string): Said {
  return { check, verdict: "ok", found };
}

export function note(check: string, found: string, advice?: string): Said {
  return { check, verdict: "note", found, advice };
}

export function fail(check: string, found: string, advice: string): Said {
  return { check, verdict: "fail", found, advice };
}

/** Lines for people, those about one thing together. */
export function showFindings(findings: readonly Finding[]): string {
  const lines: string[] = [];
  let about = "";
  for (const each of findings) {
    if (each.about !== about) lines.push(printable(each.about));
    about = each.about;
    lines.push(`  ${each.verdict.padEnd(4)}  ${each.check.padEnd(11)}  ${printable(each.found)}`);
    if (each.advice !== undefined) lines.push(`${" ".repeat(21)}-> ${printable(each.advice)}`);
  }
  const wrong = findings.filter(({ verdict }) => verdict === "fail").length;
  lines.push(
    wrong === 0 ? "Nothing is wrong" : `${wrong} ${wrong === 1 ? "thing is" : "things are"} wrong`,
  );
  return `${lines.join("\n")}\n`;
}
