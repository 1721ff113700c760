// Door of `store`: object stores and what wraps them.

export { NEAR_MS } from "./near.ts";
export type * from "./object-store.ts";
export { checkAccess, PROBE_PREFIX, probePayloadHash } from "./probe.ts";
export { createReadEndpoint } from "./read-endpoint.ts";
export { createS3Store } from "./s3-store.ts";
export { Traffic } from "./traffic.ts";
export { type Trouble, Troubles } from "./troubles.ts";
export { type RetryOptions, retrying, withRetry } from "./with-retry.ts";
