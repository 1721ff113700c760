// Levels of tests as vitest projects; `npm test` runs them all, `npm run ok` the fast ones.

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));

function level(name: string, options: { timeoutMs: number; parallel: boolean }) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: options.timeoutMs,
      hookTimeout: options.timeoutMs,
      fileParallelism: options.parallel,
    },
  };
}

export default defineConfig({
  root,
  test: {
    pool: "forks",
    // Tests wait more than they compute.
    maxWorkers: Math.max(2, availableParallelism()),
    // Waiting is for what must come, however slow the machine: the default of one second is not.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      level("unit", { timeoutMs: 10_000, parallel: true }),
      level("property", { timeoutMs: 60_000, parallel: true }),
      level("tidy", { timeoutMs: 20_000, parallel: true }),
      level("contract", { timeoutMs: 60_000, parallel: false }),
      level("integration", { timeoutMs: 60_000, parallel: true }),
      level("fuse", { timeoutMs: 120_000, parallel: true }),
      level("fault", { timeoutMs: 180_000, parallel: true }),
      level("programs", { timeoutMs: 300_000, parallel: false }),
    ],
  },
});
