// The sender and its thread, against a server that answers as the test says.

import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { type Log, silentLog, systemClock } from "../../../src/base/mod.ts";
import { type Sha256, toKey, toPartNumber, toSha256, toUploadId } from "../../../src/model/mod.ts";
import { Sender } from "../../../src/send/mod.ts";
import { tempDir } from "../../support/temp.ts";
import { accept, bodyOf, refuse, TinyServer } from "../store/tiny-server.ts";

const MIB = 1024 * 1024;
const KEY = toKey("k");
/** From source the thread loads for a second or two on a busy machine. */
const SLOW = { timeout: 8000, interval: 5 };

interface Started extends AsyncDisposable {
  readonly sender: Sender;
}

async function start(
  server: TinyServer,
  given: { lanes?: number; log?: Log } = {},
): Promise<Started> {
  const { lanes = 4, log = silentLog } = given;
  const sender = await Sender.start({ store: server.options, lanes, log, clock: systemClock });
  return { sender, [Symbol.asyncDispose]: () => sender.stop() };
}

function sha256Of(bytes: Uint8Array): Sha256 {
  return toSha256(createHash("sha256").update(bytes).digest("hex"));
}

async function fileOf(dir: string, bytes: Uint8Array): Promise<{ path: string; size: number }> {
  const path = join(dir, randomBytes(4).toString("hex"));
  await writeFile(path, bytes);
  return { path, size: bytes.length };
}

function partOf(file: { path: string; size: number }, partNumber = 1) {
  const at = { key: KEY, uploadId: toUploadId("U"), partNumber: toPartNumber(partNumber) };
  return { ...at, ...file, sha256: toSha256("a".repeat(64)) };
}

const numberOf = (request: IncomingMessage): number =>
  Number(new URL(request.url ?? "", "http://x").searchParams.get("partNumber"));

describe("hash()", () => {
  test.each([0, 1, MIB, 3 * MIB + 5])("of the first %i bytes of a longer file", async (size) => {
    await using temp = await tempDir();
    await using server = await TinyServer.start(() => {});
    await using started = await start(server);
    const bytes = randomBytes(size);
    const { path } = await fileOf(temp.path, Buffer.concat([bytes, Buffer.from("more")]));
    expect(await started.sender.hash({ path, size })).toBe(sha256Of(bytes));
  });

  test("a file that is shorter, or gone, is Corrupt", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start(() => {});
    await using started = await start(server);
    const { path } = await fileOf(temp.path, Buffer.alloc(10));
    const { sender } = started;
    await expect(sender.hash({ path, size: 11 })).rejects.toMatchObject({ code: "Corrupt" });
    const gone = sender.hash({ path: join(temp.path, "gone"), size: 1 });
    await expect(gone).rejects.toMatchObject({ code: "Corrupt" });
  });

  test("is Interrupted when aborted, before and during", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start(() => {});
    await using started = await start(server);
    const file = await fileOf(temp.path, Buffer.alloc(64 * MIB));
    const aborts = Array.from({ length: 4 }, () => new AbortController());
    const all = Promise.allSettled(aborts.map(({ signal }) => started.sender.hash(file, signal)));
    for (const abort of aborts) abort.abort();
    for (const outcome of await all)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "Interrupted" } });
    const late = started.sender.hash(file, AbortSignal.abort());
    await expect(late).rejects.toMatchObject({ code: "Interrupted" });
  });
});

describe("uploadPart() and put()", () => {
  test("send the bytes of the file, under the given hash, and count them", async () => {
    await using temp = await tempDir();
    const bodies: Buffer[] = [];
    await using server = await TinyServer.start(async (_, request, response) => {
      bodies.push(await bodyOf(request));
      response.writeHead(200, { ETag: '"e"' }).end();
    });
    await using started = await start(server);
    const { sender } = started;
    const bytes = randomBytes(MIB + 3);
    const file = await fileOf(temp.path, bytes);
    const sha256 = sha256Of(bytes);
    expect(await sender.uploadPart({ ...partOf(file), sha256 }, 1)).toMatchObject({ etag: '"e"' });
    const metadata = { "kodomount-save": "id" };
    await sender.put({ key: KEY, ...file, sha256, metadata }, 1);
    const empty = { path: undefined, size: 0, sha256: sha256Of(Buffer.alloc(0)) };
    await sender.put({ key: KEY, ...empty, metadata }, 1);
    expect(bodies.map((body) => body.length)).toEqual([bytes.length, bytes.length, 0]);
    expect(bodies[0]?.equals(bytes)).toBe(true);
    expect(server.requests.map(({ headers }) => headers["x-amz-content-sha256"])).toEqual([
      sha256,
      sha256,
      empty.sha256,
    ]);
    expect(server.requests[1]?.headers["x-amz-meta-kodomount-save"]).toBe("id");
    expect(sender.progress()).toMatchObject({ inFlight: 0, bytesAcknowledged: 2 * bytes.length });
  });

  test("never more at once than there are lanes, and the smallest priority first", async () => {
    await using temp = await tempDir();
    const open: [IncomingMessage, ServerResponse][] = [];
    const order: number[] = [];
    await using server = await TinyServer.start((_, request, response) => {
      order.push(numberOf(request));
      open.push([request, response]);
    });
    await using started = await start(server, { lanes: 2 });
    const file = await fileOf(temp.path, randomBytes(100));
    const sending = [1, 2, 3, 4, 5].map((n) => started.sender.uploadPart(partOf(file, n), -n));
    for (let done = 0; done < 5; done += 1) {
      await expect.poll(() => open.length, SLOW).toBe(Math.min(2, 5 - done));
      await expect.poll(() => started.sender.progress().inFlight, SLOW).toBe(open.length);
      const [request, response] = open.shift() ?? [];
      if (request !== undefined && response !== undefined) accept(request, response);
    }
    await Promise.all(sending);
    expect(new Set(order.slice(0, 2))).toEqual(new Set([1, 2]));
    expect(order.slice(2)).toEqual([5, 4, 3]);
  });

  test("without a fixed number eight parts go to a near store at once", async () => {
    await using temp = await tempDir();
    const open: [IncomingMessage, ServerResponse][] = [];
    await using server = await TinyServer.start((_, request, response) => {
      open.push([request, response]);
    });
    const given = { store: server.options, lanes: undefined, log: silentLog, clock: systemClock };
    const sender = await Sender.start(given);
    await using _ = { [Symbol.asyncDispose]: () => sender.stop() };
    const file = await fileOf(temp.path, randomBytes(100));
    const sending = Array.from({ length: 20 }, (_, i) => sender.uploadPart(partOf(file, i + 1), 0));
    await expect.poll(() => open.length, SLOW).toBe(8);
    expect(sender.progress().inFlight).toBe(8);
    for (let done = 0; done < 20; done += 1) {
      await expect.poll(() => open.length, SLOW).toBeGreaterThan(0);
      const [request, response] = open.shift() ?? [];
      if (request !== undefined && response !== undefined) accept(request, response);
    }
    await Promise.all(sending);
  });

  test("what passes is tried again; what does not comes with its code and reason", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((number, request, response) => {
      request.resume();
      if (number === 1) refuse(response, 503, "SlowDown");
      else if (number === 2) request.socket.resetAndDestroy();
      else refuse(response, 404, "NoSuchUpload");
    });
    await using started = await start(server);
    const file = await fileOf(temp.path, randomBytes(100));
    const failed = started.sender.uploadPart(partOf(file), 0);
    await expect(failed).rejects.toMatchObject({
      name: "KodomountError",
      code: "NoSuchUpload",
      message: expect.stringContaining("PUT part 1 of k"),
    });
    expect(server.requests).toHaveLength(3);
  });

  test("an aborted part gives its connection and its lane back", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((number, request, response) => {
      if (number > 1) accept(request, response);
    });
    await using started = await start(server, { lanes: 1 });
    const file = await fileOf(temp.path, randomBytes(100));
    const abort = new AbortController();
    const first = started.sender.uploadPart(partOf(file), 0, abort.signal);
    const second = started.sender.uploadPart(partOf(file, 2), 0);
    await expect.poll(() => server.requests.length, SLOW).toBe(1);
    abort.abort();
    await expect(first).rejects.toMatchObject({ code: "Interrupted" });
    expect(await second).toMatchObject({ etag: '"e"' });
    const [socket] = server.sockets;
    await expect.poll(() => socket?.closed, SLOW).toBe(true);
  });

  test("parts go on while a large file is hashed", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((_, request, response) =>
      accept(request, response),
    );
    await using started = await start(server);
    const large = await fileOf(temp.path, Buffer.alloc(256 * MIB));
    const small = await fileOf(temp.path, randomBytes(100));
    let hashed = false;
    const hash = started.sender.hash(large).then(() => (hashed = true));
    for (let i = 0; i < 3; i += 1) await started.sender.uploadPart(partOf(small), 0);
    expect(hashed).toBe(false);
    await hash;
  });
});

describe("the end", () => {
  test("stop() interrupts what is under way, what waits for a lane, and what comes later", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((_, request) => request.resume());
    await using started = await start(server, { lanes: 1 });
    const { sender } = started;
    const file = await fileOf(temp.path, randomBytes(100));
    const all = Promise.allSettled([1, 2, 3].map((n) => sender.uploadPart(partOf(file, n), 0)));
    await expect.poll(() => server.requests.length, SLOW).toBe(1);
    await sender.stop();
    for (const outcome of await all)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "Interrupted" } });
    await expect(sender.hash(file)).rejects.toMatchObject({ code: "Interrupted" });
    await sender.stop();
  });

  test("a thread that dies fails what was under way as Unavailable, says so, and is started again", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((number, request, response) => {
      if (number > 1) accept(request, response);
    });
    let thread: Worker | undefined;
    process.once("worker", (worker) => (thread = worker));
    const said: string[] = [];
    const log = { ...silentLog, error: (_: object, message: string) => void said.push(message) };
    await using started = await start(server, { log });
    const { sender } = started;
    const file = await fileOf(temp.path, randomBytes(100));
    const underWay = sender.uploadPart(partOf(file), 0);
    await expect.poll(() => server.requests.length, SLOW).toBe(1);
    await thread?.terminate();
    await expect(underWay).rejects.toMatchObject({ code: "Unavailable", retryable: true });
    expect(said.join()).toContain("has died");
    expect(await sender.uploadPart(partOf(file), 0)).toMatchObject({ etag: '"e"' });
  });
});
