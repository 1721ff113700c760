// Door of `base`: what every module may use. No module of ours is imported here.

export { Background } from "./background.ts";
export { Calls } from "./calls.ts";
export { type Clock, jitter, nextTurn, systemClock } from "./clock.ts";
export {
  CODES,
  type Code,
  codeOf,
  describe,
  errnoOf,
  ignoreInterrupted,
  KodomountError,
  toError,
} from "./error.ts";
export { groupBy, groupsOf } from "./group-by.ts";
export { invariant, required, unreachable } from "./invariant.ts";
export { type Log, type LogLine, silentLog, threadLog } from "./log.ts";
export { Mutex } from "./mutex.ts";
export { Notifier } from "./notifier.ts";
export { Semaphore } from "./semaphore.ts";
export { anySignal, newAbort, unlessAborted } from "./signals.ts";
export { STEPS, type Step, step } from "./step.ts";
export { startThread } from "./thread.ts";
