// Starts a worker thread of ours, built or from source.

import { Worker } from "node:worker_threads";

/** Run from source, in tests: a worker does not inherit the loader of TypeScript, so it loads that first. */
const FROM_SOURCE = `
const { workerData } = require("node:worker_threads");
import("tsx/esm/api").then(({ register }) => { register(); return import(workerData.file); });
`;

/**
 * A thread that runs the file `name` (without its extension) beside the module at `from`, its `import.meta.url`.
 * @param data is the thread's `workerData`: plain, since it is copied.
 */
export function startThread(from: string, name: string, data: object): Worker {
  // Who has just built, as `npm test` has, need not translate it once more for each thread.
  const isBuilt = process.env["KODOMOUNT_THREADS"] === "built";
  const base = isBuilt ? from.replace(/\/src\/(.*)\.ts$/, "/dist/$1.js") : from;
  if (!base.endsWith(".ts")) return new Worker(new URL(`./${name}.js`, base), { workerData: data });
  const file = new URL(`./${name}.ts`, base).href;
  return new Worker(FROM_SOURCE, { eval: true, workerData: { ...data, file } });
}
