// Door of `emulator`: an S3 server on loopback that behaves as Kodo, and fails as it is told.

export type { Limits } from "./call.ts";
export { type Emulator, type EmulatorOptions, startEmulator } from "./emulator.ts";
export type { Fault, Order, OrderRequest } from "./faults.ts";
export type { RequestEntry } from "./request-log.ts";
export { type OperationKind, targetOf } from "./target.ts";
export type { ObjectView, UploadView } from "./view.ts";
