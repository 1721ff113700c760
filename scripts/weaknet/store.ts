// The store at the far end of a weak link: Ceph RGW where it is installed, else the embedded store. Run by weaknet in the
// server's namespace: store.ts STORE DIR OUT. Writes where it is to OUT, then listens on the port that weaknet waits for.

import { rename, writeFile } from "node:fs/promises";
import net from "node:net";
import { silentLog, systemClock } from "../../src/base/mod.ts";
import { startEmulator } from "../../src/emulator/mod.ts";
import { startRgw } from "../../test/support/rgw.ts";
import { SERVER } from "./weaknet.ts";

export const READY_PORT = 8099;
export const BUCKET = "bench";
const PART_SIZE_MIN = 1024 * 1024;

export interface Place {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

async function startStore(kind: string, dir: string): Promise<Place & AsyncDisposable> {
  if (kind === "rgw") {
    const rgw = await startRgw({ host: SERVER, partSizeMin: PART_SIZE_MIN });
    await rgw.createBucket(BUCKET);
    return rgw;
  }
  const keys = { accessKeyId: "bench", secretAccessKey: "bench-secret", region: "bench" };
  const emulator = await startEmulator({
    dir,
    host: SERVER,
    buckets: [BUCKET],
    ...keys,
    clock: systemClock,
    log: silentLog,
  });
  return {
    endpoint: emulator.endpoint,
    ...keys,
    [Symbol.asyncDispose]: () => emulator.stop(),
  };
}

async function main([kind = "", dir = "", out = ""]: string[]): Promise<void> {
  await using store = await startStore(kind, dir);
  const { endpoint, accessKeyId, secretAccessKey, region } = store;
  const place: Place = { endpoint, accessKeyId, secretAccessKey, region };
  await writeFile(`${out}.new`, JSON.stringify(place));
  await rename(`${out}.new`, out);
  const ready = net.createServer((socket) => socket.destroy()).listen(READY_PORT);
  await new Promise((resolve) => process.once("SIGTERM", resolve));
  ready.close();
}

if (process.argv[1]?.endsWith("store.ts")) await main(process.argv.slice(2));
