// One mount alone uses a cache directory: two would each keep to the bound for themselves, and delete what the other has.

import { once } from "node:events";
import { stat } from "node:fs/promises";
import { createServer } from "node:net";
import { errnoOf, KodomountError } from "../base/mod.ts";

/**
 * Held until it is disposed of, or the process ends, however it ends: it is an abstract socket, which the kernel removes.
 * @throws `Config` when another mount has it.
 */
export async function lockCache(dir: string): Promise<AsyncDisposable> {
  const { dev, ino } = await stat(dir);
  const server = createServer();
  server.unref();
  server.listen(`\0kodomount-cache-${dev}-${ino}`);
  try {
    await once(server, "listening");
  } catch (error) {
    if (errnoOf(error) !== "EADDRINUSE") throw error;
    throw new KodomountError(
      "Config",
      `Cannot use '--cache-dir' ${JSON.stringify(dir)}: another mount uses it; each mount needs a directory of its own`,
    );
  }
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
