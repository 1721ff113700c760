// What the disk says, in our words.

import { errnoOf, KodomountError } from "../base/mod.ts";

/** What `task` returns. @throws `NoSpace` for a full disk or quota, `Io` for any other error of the system, with its cause. */
export async function guard<T>(dir: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw inOurWords(dir, error);
  }
}

function inOurWords(dir: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (error instanceof KodomountError || errno === undefined) return error;
  if (errno === "ENOSPC" || errno === "EDQUOT")
    return new KodomountError(
      "NoSpace",
      `No room to write: the disk of the spill directory ${dir} is full (${errno}); see '--spill-limit' and '--state-dir'`,
      { cause: error },
    );
  return new KodomountError("Io", `The spill directory ${dir} fails with ${errno}`, {
    cause: error,
  });
}
