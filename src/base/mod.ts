// Door of `base`: what every module may use. No module of ours is imported here.

export { Background } from "./background.ts";
export { type Clock, systemClock } from "./clock.ts";
export { type Code, CODES, codeOf, describe, errnoOf, KodomountError, toError } from "./error.ts";
export { groupBy } from "./group-by.ts";
export { invariant, required, unreachable } from "./invariant.ts";
export { type Log, silentLog } from "./log.ts";
export { Notifier } from "./notifier.ts";
export { Mutex } from "./mutex.ts";
export { Semaphore } from "./semaphore.ts";
export { type Step, STEPS, step } from "./step.ts";
