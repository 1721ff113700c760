// For what cannot be unless we made a mistake. The operation fails with EIO, nothing is deleted on that path.

import { KodomountError } from "./error.ts";

/** Throws a `Programmer` error unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new KodomountError("Programmer", `Invariant broken: ${message}`);
}

/** The end of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new KodomountError("Programmer", `Unreachable: ${JSON.stringify(value)}`);
}

/** `value`, or a `Programmer` error when it is undefined. */
export function required<T>(value: T | undefined, what: string): T {
  invariant(value !== undefined, `${what} is missing`);
  return value;
}
