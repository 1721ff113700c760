// An emulator in a process of its own, to be killed: `child.ts DIR`, sends its endpoint to the parent.

import { silentLog, systemClock } from "../../../src/base/mod.ts";
import { startEmulator } from "../../../src/emulator/mod.ts";
import { TEST_KEYS } from "../../support/emulator.ts";

const emulator = await startEmulator({
  dir: process.argv[2] ?? "",
  buckets: ["bucket"],
  ...TEST_KEYS,
  clock: systemClock,
  log: silentLog,
});
process.send?.(emulator.endpoint);
// Should the parent die without killing us.
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
