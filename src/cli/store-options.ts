// How the store of a mount is reached.

import type { MountConfig } from "../config/mod.ts";
import { PROVIDERS } from "../model/mod.ts";
import type { StoreOptions } from "../store/mod.ts";

/** For everything but uploads, which have their own. */
const CONNECTIONS = 16;

/** Of the product: `Sender` takes more connections as they pay. */
export function toStoreOptions(config: MountConfig): StoreOptions {
  const { endpoint, region, bucket, prefix, provider, credentials, congestion } = config;
  return {
    endpoint,
    region,
    bucket,
    prefix,
    provider: PROVIDERS[provider],
    credentials,
    connections: CONNECTIONS,
    congestion,
  };
}
