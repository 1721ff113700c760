// The reply to a request for a list: whether it is a store's, and the way on.

import { KodomountError } from "../base/mod.ts";

/** A page of somebody who answers in the store's place parses as an empty list; a store's says at least one of these. */
export function assertStore(...fields: unknown[]): void {
  if (fields.every((field) => field === undefined))
    throw new KodomountError("Unavailable", "the reply is no list, so it is not a store's");
}

/** A listing that silently ended early would make objects disappear. */
export function tokenOf(
  truncated: boolean | undefined,
  token: string | undefined,
): string | undefined {
  if (!truncated) return undefined;
  if (!token) throw new KodomountError("Rejected", "The store gave a part of a list and no way on");
  return token;
}
