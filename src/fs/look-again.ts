// What was looked at may be committed, replaced or moved before it is acted upon: then once more, but not for ever.

import { KodomountError } from "../base/mod.ts";

const LOOKS_MAX = 10;

/**
 * Looks at `name` and acts until nothing has changed in between.
 * @param attempt resolves with false when something has.
 * @throws `Busy` when it goes on changing.
 */
export async function lookAgain(name: string, attempt: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < LOOKS_MAX; tries += 1) if (await attempt()) return;
  throw new KodomountError("Busy", `${name} changes faster than it can be looked at`);
}
