// Counts of what passed, failed and was skipped, and the line that sums them up.

export interface Tally {
  readonly passed: number;
  /** What failed, by name: one entry counts one. */
  readonly failed: readonly string[];
  /** What was skipped, each with its reason. */
  readonly skipped: readonly string[];
}

export const NOTHING: Tally = { passed: 0, failed: [], skipped: [] };

export function addTallies(a: Tally, b: Tally): Tally {
  return {
    passed: a.passed + b.passed,
    failed: [...a.failed, ...b.failed],
    skipped: [...a.skipped, ...b.skipped],
  };
}

/** `N passed, N failed`, and `, N skipped` where something was. */
export function sumLine({ passed, failed, skipped }: Tally): string {
  const line = `${passed} passed, ${failed.length} failed`;
  return skipped.length === 0 ? line : `${line}, ${skipped.length} skipped`;
}

/** Whether a run may count as good: nothing failed, and something ran at all. */
export function isGood({ passed, failed }: Tally): boolean {
  return failed.length === 0 && passed > 0;
}

/** A tally that another process has written. @throws Error when it is none. */
export function parseTally(text: string): Tally {
  const value: unknown = JSON.parse(text);
  if (
    typeof value === "object" &&
    value !== null &&
    "passed" in value &&
    typeof value.passed === "number" &&
    "failed" in value &&
    isTexts(value.failed) &&
    "skipped" in value &&
    isTexts(value.skipped)
  )
    return { passed: value.passed, failed: value.failed, skipped: value.skipped };
  throw new Error(`Not a tally: ${text.slice(0, 200)}`);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
