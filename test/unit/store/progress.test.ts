// Time limits: what does not move is given up, what moves is waited for. The clock is the test's, the bytes are real.

import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { toKey, toPartNumber, toSha256, toUploadId } from "../../../src/model/mod.ts";
import type { Body, ObjectStore } from "../../../src/store/mod.ts";
import { tempDir } from "../../support/temp.ts";
import { ManualClock } from "./manual-clock.ts";
import { TinyServer } from "./tiny-server.ts";

const MIB = 1024 * 1024;
const sha256 = toSha256("0".repeat(64));
const KEY = toKey("k");
const small: Body = { kind: "bytes", bytes: Buffer.from("hello") };

function sendPart(store: ObjectStore, body: Body): Promise<unknown> {
  const at = { key: KEY, uploadId: toUploadId("U"), partNumber: toPartNumber(1) };
  return store.uploadPart({ ...at, body, sha256 });
}

async function fileOf(dir: string, size: number): Promise<Body> {
  const path = join(dir, "part");
  await writeFile(path, Buffer.alloc(size));
  return { kind: "file", path, size };
}

/** A server that only lets the test have the exchange. */
async function silentServer() {
  const exchanges: { request: IncomingMessage; response: ServerResponse }[] = [];
  const server = await TinyServer.start((_, request, response) => {
    exchanges.push({ request, response });
  });
  const first = async () => {
    await expect.poll(() => exchanges.length).toBe(1);
    const [exchange] = exchanges;
    if (exchange === undefined) throw new Error("no request");
    return exchange;
  };
  return { server, first };
}

/** How a promise has ended, or "waiting". */
function outcomeOf(promise: Promise<unknown>): () => string {
  let outcome = "waiting";
  promise.then(
    () => (outcome = "done"),
    (error: { code?: string }) => (outcome = error.code ?? "error"),
  );
  return () => outcome;
}

test("a server that takes a request and does not answer: TimedOut after 10 s, not before", async () => {
  const { server, first } = await silentServer();
  await using _ = server;
  const clock = new ManualClock();
  const outcome = outcomeOf(sendPart(server.store({ clock }), small));
  (await first()).request.resume();
  await clock.advance(9000);
  expect(outcome()).toBe("waiting");
  await clock.advance(4000);
  await expect.poll(outcome).toBe("TimedOut");
});

test("an answer to a file is late 3 s after the store has all of it, and then twice that", async () => {
  await using temp = await tempDir();
  const { server } = await silentServer();
  await using _ = server;
  const clock = new ManualClock();
  const store = server.store({ clock });
  const body = await fileOf(temp.path, MIB);
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const outcome = outcomeOf(sendPart(store, body));
    await expect.poll(() => server.requests.length).toBe(attempt);
    const request = server.requests[attempt - 1];
    await once(request?.resume() ?? process, "end");
    const start = clock.monotonic();
    while (outcome() === "waiting") await clock.advance(1000);
    expect(outcome()).toBe("TimedOut");
    waits.push(clock.monotonic() - start);
  }
  // It is looked at once a second, and the first look is the one that sees the last bytes move.
  expect(waits[0]).toBeGreaterThanOrEqual(3000);
  expect(waits[0]).toBeLessThanOrEqual(6000);
  expect(waits[1]).toBeGreaterThanOrEqual(6000);
  expect(waits[1]).toBeLessThanOrEqual(9000);
  expect(waits[2]).toBeGreaterThanOrEqual(12_000);
});

test("a server that works on complete() has a minute", async () => {
  const { server, first } = await silentServer();
  await using _ = server;
  const clock = new ManualClock();
  const store = server.store({ clock });
  const outcome = outcomeOf(store.complete({ key: KEY, uploadId: toUploadId("U"), parts: [] }));
  (await first()).request.resume();
  await clock.advance(55_000);
  expect(outcome()).toBe("waiting");
  await clock.advance(10_000);
  await expect.poll(outcome).toBe("TimedOut");
});

test("a server that stops reading: TimedOut", async () => {
  await using temp = await tempDir();
  const { server, first } = await silentServer();
  await using _ = server;
  const clock = new ManualClock();
  const outcome = outcomeOf(sendPart(server.store({ clock }), await fileOf(temp.path, 32 * MIB)));
  await first();
  await clock.advance(20_000);
  await expect.poll(outcome).toBe("TimedOut");
});

test("a server that reads slowly is waited for, minutes if need be", async () => {
  await using temp = await tempDir();
  const { server, first } = await silentServer();
  await using _ = server;
  const clock = new ManualClock();
  const size = 24 * MIB;
  const outcome = outcomeOf(sendPart(server.store({ clock }), await fileOf(temp.path, size)));
  const { request, response } = await first();
  let taken = 0;
  let goal = 0;
  request.on("data", (piece: Buffer) => {
    taken += piece.length;
    if (taken >= goal) request.pause();
  });
  const read = async (): Promise<void> => {
    request.resume();
    await expect.poll(() => taken, { interval: 1 }).toBeGreaterThanOrEqual(goal);
  };
  for (goal = MIB; goal <= size / 2; goal += MIB) {
    await read();
    await clock.advance(7000);
    expect([goal, outcome()]).toEqual([goal, "waiting"]);
  }
  // What the kernel at the other end has taken in its buffer is delivered: of that no more can be seen here.
  goal = size;
  await read();
  response.writeHead(200, { ETag: '"slow"' }).end();
  await expect.poll(outcome).toBe("done");
});

test("a body that stops coming: TimedOut; one that comes slowly is waited for", async () => {
  const { server, first } = await silentServer();
  await using _ = server;
  const clock = new ManualClock();
  const outcome = outcomeOf(server.store({ clock }).get({ key: KEY }));
  const { response } = await first();
  response.writeHead(200, { ETag: '"v"', "content-length": 1000 });
  for (let i = 0; i < 5; i += 1) {
    response.write("some bytes");
    await clock.advance(8000);
    expect(outcome()).toBe("waiting");
  }
  await clock.advance(12_000);
  await expect.poll(outcome).toBe("TimedOut");
});

test("requests that wait for a connection are not timed out by those before them", async () => {
  const { server, first } = await silentServer();
  await using _ = server;
  const clock = new ManualClock();
  const store = server.store({ clock, connections: 1 });
  const slow = store.get({ key: KEY });
  const { response } = await first();
  const outcome = outcomeOf(store.head(KEY));
  response.writeHead(200, { ETag: '"v"', "content-length": 50 });
  for (let i = 0; i < 5; i += 1) {
    response.write("some bytes");
    await clock.advance(8000);
  }
  expect(outcome()).toBe("waiting");
  expect((await slow).bytes).toHaveLength(50);
});
