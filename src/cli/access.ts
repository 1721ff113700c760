// Why a store cannot be used, as advice: one line for each thing that is commonly wrong.

import { type Code, codeOf, KodomountError } from "../base/mod.ts";
import type { MountConfig } from "../config/mod.ts";

/** The error of the first look at the bucket, with what to do about it. Anything unexpected stays as it is. */
export function explainAccess(error: unknown, config: MountConfig): unknown {
  const code = codeOf(error);
  const advice = ADVICE[code];
  if (advice === undefined || !(error instanceof KodomountError)) return error;
  return new KodomountError(code, advice(config), { cause: error });
}

const ADVICE: Partial<Record<Code, (config: MountConfig) => string>> = {
  BadCredentials: ({ endpoint, credentials }) =>
    `${endpoint} does not accept the keys of ${origin(credentials)}: check that they are complete, and of this store`,
  AccessDenied: ({ bucket, credentials }) =>
    `The keys of ${origin(credentials)} may not list bucket '${bucket}': give them the right to, or use others`,
  NoSuchBucket: ({ bucket, endpoint, provider }) =>
    `There is no bucket '${bucket}' at ${endpoint}: check its name${
      provider === "kodo"
        ? " (the 'S3 bucket name' of the console, which may differ from the bucket's own)"
        : ""
    } and the region`,
  WrongRegion: ({ bucket, endpoint, region }) =>
    `Bucket '${bucket}' is not in region '${region}' of ${endpoint}: give the right '--endpoint' and '--region'`,
  ClockSkewed: ({ endpoint }) =>
    `The clock of this machine and that of ${endpoint} differ too much: set it right (timedatectl set-ntp true)`,
  Unreachable: ({ endpoint }) =>
    `${endpoint} cannot be reached: check '--endpoint', the network and the name server`,
  TimedOut: ({ endpoint }) =>
    `${endpoint} does not answer: check '--endpoint', the network and firewalls`,
  Unavailable: ({ endpoint }) => `${endpoint} answers that it cannot serve now: try again later`,
};

function origin(credentials: MountConfig["credentials"]): string {
  return credentials.kind === "profile" ? `profile '${credentials.profile}'` : "the environment";
}
