// Named steps: the moments between which a crash may fall. A test asks for a real SIGKILL at one of them by
// KODOMOUNT_KILL_AT=NAME[:COUNT[:FILE]], of the process whose id is in FILE instead of this one; without it a step costs one
// comparison.

import { readFileSync } from "node:fs";

export const STEPS = [
  "save.created",
  "part.written",
  "part.sealed",
  "spill.synced",
  "upload.created",
  "upload.recorded",
  "part.sending",
  "part.sent",
  "part.acknowledged",
  "save.streaming",
  "part.evicted",
  "save.held",
  "save.closing",
  "save.closed",
  "save.completing",
  "complete.sent",
  "object.verified",
  "save.committed",
  "spill.freed",
  "namespace.journalled",
  "copy.done",
  "delete.done",
  "want.done",
] as const;

export type Step = (typeof STEPS)[number];

const [killAt, count, pidFile] = (process.env["KODOMOUNT_KILL_AT"] ?? "").split(":");
let left = Number(count ?? 1);

/** Marks that `name` has been reached; kills with SIGKILL when the test asked for it. */
export function step(name: Step): void {
  if (name !== killAt) return;
  left -= 1;
  if (left !== 0) return;
  process.kill(
    pidFile === undefined ? process.pid : Number(readFileSync(pidFile, "utf8")),
    "SIGKILL",
  );
}
