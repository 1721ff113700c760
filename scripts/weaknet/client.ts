// The near end of a weak link: one tool uploads one file while its process is watched. Run by weaknet in the client's
// namespace with a `ClientJob` as JSON; prints a `ClientResult` as JSON.

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { newAbort, systemClock } from "../../src/base/mod.ts";
import { cpuOf, peakRssMib } from "../figures.ts";
import type { Place } from "./store.ts";
import { type Prepared, TOOLS } from "./tools.ts";

export interface ClientJob {
  readonly tool: string;
  readonly file: string;
  readonly dir: string;
  /** The file that the store has written. */
  readonly place: string;
  readonly mountOptions: readonly string[];
  readonly limitSeconds: number;
}

export interface ClientResult {
  readonly outcome: "done" | "failed" | "unfinished";
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakRssMib: number;
}

/** How often the process is looked at: its figures are gone with it. */
const LOOK_MS = 100;

async function main(job: ClientJob): Promise<ClientResult> {
  const tool = TOOLS[job.tool];
  if (tool === undefined) throw new Error(`There is no tool ${job.tool}`);
  const place = JSON.parse(await readFile(job.place, "utf8")) as Place;
  await using prepared = await tool.prepare({ ...job, place });
  return await watch(prepared, job.limitSeconds);
}

async function watch(prepared: Prepared, limitSeconds: number): Promise<ClientResult> {
  const [program, ...args] = prepared.command;
  const start = performance.now();
  const cpuBefore = prepared.pid === undefined ? 0 : (await figuresOf(prepared.pid)).cpuSeconds;
  const child = spawn(program, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...prepared.env },
  });
  const ended = newAbort();
  let outcome: ClientResult["outcome"] = "failed";
  const exited = new Promise<void>((resolve) =>
    child.once("exit", (code) => {
      if (code === 0) outcome = "done";
      ended.abort();
      resolve();
    }),
  );
  let [cpuSeconds, peakMib, limit] = [0, 0, limitSeconds];
  // In order, since a mount would stay behind.
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => {
      limit = 0;
    });
  while (!ended.signal.aborted) {
    const figures = await figuresOf(prepared.pid ?? child.pid ?? 0);
    cpuSeconds = Math.max(cpuSeconds, figures.cpuSeconds - cpuBefore);
    peakMib = Math.max(peakMib, figures.peakRssMib);
    const seconds = (performance.now() - start) / 1000;
    if (seconds > limit) {
      child.kill("SIGKILL");
      return { outcome: "unfinished", seconds, cpuSeconds, peakRssMib: peakMib };
    }
    await systemClock.sleep(LOOK_MS, ended.signal).catch(() => {}); // ended: it is looked at above
  }
  await exited;
  return { outcome, seconds: (performance.now() - start) / 1000, cpuSeconds, peakRssMib: peakMib };
}

/** CPU seconds and the largest memory of a process so far; zeros when it is gone. */
async function figuresOf(pid: number): Promise<{ cpuSeconds: number; peakRssMib: number }> {
  const orZero = (figure: Promise<number>): Promise<number> => figure.catch(() => 0);
  const [cpuSeconds, peak] = [await orZero(cpuOf(pid)), await orZero(peakRssMib(pid))];
  // A process that has ended and is not reaped has no memory.
  return { cpuSeconds, peakRssMib: Number.isNaN(peak) ? 0 : peak };
}

console.log(JSON.stringify(await main(JSON.parse(process.argv[2] ?? "") as ClientJob)));
