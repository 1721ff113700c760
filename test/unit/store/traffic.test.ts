// What connections have carried, as the kernel says it, and which congestion control they have.

import { once } from "node:events";
import net, { type Socket } from "node:net";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/mod.ts";
import { chooseCongestion } from "../../../src/store/congestion.ts";
import { Traffic } from "../../../src/store/mod.ts";

const MIB = 1024 * 1024;
const NEAR_MS = 0.1;
const FAR_MS = 40;

interface Pair extends AsyncDisposable {
  readonly client: Socket;
  /** Reads only what it is told to. */
  readonly server: Socket;
}

async function connect(onClient: (client: Socket) => void = () => {}): Promise<Pair> {
  const listener = net.createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  const accepted = once(listener, "connection");
  const client = net.connect(address.port, "127.0.0.1");
  onClient(client);
  await once(client, "connect");
  const [server] = (await accepted) as [Socket];
  return {
    client,
    server,
    async [Symbol.asyncDispose]() {
      client.destroy();
      server.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}

test("only bytes that the peer has acknowledged count, and stay counted after the connection", async () => {
  const traffic = new Traffic(systemClock);
  await using pair = await connect((client) => traffic.add(client, () => false));
  const { client, server } = pair;
  expect(traffic.tripMs).toBeGreaterThan(0);
  client.write(Buffer.alloc(64 * MIB));
  await expect.poll(() => traffic.acknowledged()).toBeGreaterThan(0);
  // The peer reads nothing, so the rest lies in queues on this side.
  expect(await traffic.acknowledged()).toBeLessThan(32 * MIB);
  server.resume();
  await expect.poll(() => traffic.acknowledged(), { timeout: 8000 }).toBe(64 * MIB);
  client.destroy();
  await once(client, "close");
  expect(await traffic.acknowledged()).toBe(64 * MIB);
});

test("a near connection keeps the system's congestion control, a far one gets what is asked for if it can", async () => {
  await using pair = await connect();
  const { client } = pair;
  const asSystem = chooseCongestion(client, "bbr", NEAR_MS);
  expect(chooseCongestion(client, "system", FAR_MS)).toBe(asSystem);
  const far = chooseCongestion(client, "bbr", FAR_MS);
  if (!far) console.log("skipped: bbr, since there is no addon or the kernel does not allow it");
  // What it has now it keeps.
  expect(chooseCongestion(client, "system", FAR_MS)).toBe(far);
  client.destroy();
  expect(chooseCongestion(client, "bbr", FAR_MS)).toBe(false);
});
