#!/usr/bin/env node
// Entry: argv in, exit code out. The only place that ends the process.

import { readSurroundings, run } from "./cli/mod.ts";

const code = await run(
  process.argv,
  {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isScreen: process.stdout.isTTY === true,
    size: () => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }),
  },
  readSurroundings(),
);
process.exit(code);
