// Of which refusals the operator is told. What is nobody's fault but the program's is for who looks closely; what the
// store, the network or the disk refuses is a line in the log, but not one for each of the thousand requests that meet it.

import { constants } from "node:os";
import { type Clock, codeOf, describe, type Log } from "../base/mod.ts";
import { errnoFor } from "../fs/mod.ts";
import type { Header } from "./message.ts";

const { errno } = constants;
/** Never the program's doing here: the kernel checks permissions by itself. */
const OF_OPERATOR: ReadonlySet<number> = new Set([
  errno.EIO,
  errno.EACCES,
  errno.ESTALE,
  errno.EDQUOT,
  errno.ETIMEDOUT,
]);
/** The same of one file is told again after this long. */
const AGAIN_MS = 60_000;
const KEPT_MAX = 1000;

export class Complaints {
  readonly #log: Log;
  readonly #clock: Pick<Clock, "monotonic">;
  /** When it was told last, by inode and code. */
  readonly #told = new Map<string, number>();

  constructor(log: Log, clock: Pick<Clock, "monotonic">) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @returns the errno that the program gets. */
  note(error: unknown, { opcode, ino }: Pick<Header, "opcode" | "ino">): number {
    const [number, code] = [errnoFor(error), codeOf(error)];
    const fields = { opcode, ino, code };
    if (OF_OPERATOR.has(number) && this.#isNew(`${ino} ${code}`))
      this.#log.warn({ ...fields, err: error }, describe(error));
    else this.#log.debug(fields, describe(error));
    return number;
  }

  #isNew(name: string): boolean {
    const now = this.#clock.monotonic();
    const told = this.#told.get(name);
    if (told !== undefined && now - told < AGAIN_MS) return false;
    if (this.#told.size >= KEPT_MAX) this.#told.clear();
    this.#told.set(name, now);
    return true;
  }
}
