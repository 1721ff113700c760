// How a wrong value is reported: one line that says what, why, and what to do.

import { KodomountError } from "../base/mod.ts";

/**
 * @param what the option, argument or variable, as the user wrote its name.
 * @param value as given; undefined where it must not be shown or there is none.
 * @param why what is wrong with it and what would be right.
 */
export function badValue(what: string, value: string | undefined, why: string): KodomountError {
  const shown = value === undefined ? "" : ` ${JSON.stringify(value)}`;
  return new KodomountError("Config", `Cannot use ${what}${shown}: ${why}`);
}
