// Vitest reporter that counts, and writes the tally to the file named by KODOMOUNT_TALLY. A test file that could not even
// be loaded, and an error that no test caught, count as failures: neither shows in vitest's own count of tests.

import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";
import { addTallies, NOTHING, type Tally } from "./tally.ts";

export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const target = process.env["KODOMOUNT_TALLY"];
    if (target === undefined) throw new Error("KODOMOUNT_TALLY names no file");
    const tally = [
      ...modules.map(tallyOf),
      { ...NOTHING, failed: unhandled.map(({ message }) => `unhandled error: ${message}`) },
    ].reduce(addTallies, NOTHING);
    writeFileSync(target, JSON.stringify(tally));
  }
}

function tallyOf(module: TestModule): Tally {
  const file = module.relativeModuleId;
  const failed: string[] = module.errors().map(({ message }) => `${file}: ${message}`);
  const skipped: string[] = [];
  let passed = 0;
  for (const test of module.children.allTests()) {
    const name = `${file}: ${test.fullName}`;
    const result = test.result();
    if (result.state === "passed") passed += 1;
    else if (result.state === "skipped")
      skipped.push(`${name}: ${result.note ?? "no reason given"}`);
    else failed.push(name);
  }
  return { passed, failed, skipped };
}
