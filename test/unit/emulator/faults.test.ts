// Faults that were ordered, as a client meets them, and the pages for other processes.

import { setImmediate } from "node:timers/promises";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/mod.ts";
import type { RequestEntry } from "../../../src/emulator/mod.ts";
import type { Oddity } from "../../../src/emulator/odd-reply.ts";
import { startTestEmulator, type TestEmulator } from "../../support/emulator.ts";
import { clientOf, refusal } from "./client.ts";

const Bucket = "bucket";
const MIB = 1024 * 1024;

let server: TestEmulator;
let client: S3Client;

beforeEach(async () => {
  server = await startTestEmulator();
  client = clientOf(server.emulator);
});
afterEach(async () => {
  client.destroy();
  await server[Symbol.asyncDispose]();
});

function put(Key: string, Body: string | Buffer = "body"): Promise<string> {
  return refusal(client.send(new PutObjectCommand({ Bucket, Key, Body })));
}

function keys(): string[] {
  return server.emulator.objects(Bucket).map(({ key }) => key);
}

/** Once a request has that many bytes, however long that takes. */
async function arrived(bytesIn: number): Promise<RequestEntry> {
  for (;;) {
    const entry = server.emulator.requests().at(-1);
    if (entry !== undefined && entry.bytesIn >= bytesIn) return entry;
    await setImmediate();
  }
}

async function startedUpload(): Promise<{
  Key: string;
  UploadId: string;
  part: { PartNumber: number; ETag: string | undefined };
}> {
  const Key = "upload";
  const { UploadId = "" } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const { ETag } = await client.send(
    new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: "part" }),
  );
  return { Key, UploadId, part: { PartNumber: 1, ETag } };
}

describe("emulator: faults", () => {
  test("an order meets so many requests of its kind and key, and says how many", async () => {
    const { emulator } = server;
    const order = emulator.order({
      kind: "PutObject",
      key: "a/",
      count: 2,
      skip: 1,
      fault: { kind: "status", status: 503 },
    });
    expect([await put("b"), await put("a/1")]).toEqual(["accepted", "accepted"]);
    expect([await put("a/2"), await put("b"), await put("a/3"), await put("a/4")]).toEqual([
      "503 SlowDown",
      "accepted",
      "503 SlowDown",
      "accepted",
    ]);
    expect(order.fired).toBe(2);
    expect(keys()).toEqual(["a/1", "a/4", "b"]);
  });

  test("an order takes any kind, a pattern, a code of its own; and can be taken back", async () => {
    const { emulator } = server;
    const order = emulator.order({
      kind: "any",
      key: /x$/,
      count: Number.POSITIVE_INFINITY,
      fault: { kind: "status", status: 507, code: "QuotaExceeded" },
    });
    expect([await put("ax"), await put("bx"), await put("c")]).toEqual([
      "507 QuotaExceeded",
      "507 QuotaExceeded",
      "accepted",
    ]);
    order.cancel();
    expect(await put("ax")).toBe("accepted");
  });

  test("reset: before the body, and within it", async () => {
    const { emulator } = server;
    const body = Buffer.alloc(4 * MIB);
    emulator.order({ kind: "PutObject", fault: { kind: "reset" } });
    expect(await put("k", body)).toMatch(/^no answer/);
    emulator.order({ kind: "PutObject", fault: { kind: "reset", afterBytes: MIB } });
    expect(await put("k", body)).toMatch(/^no answer/);
    const [first, second] = emulator.requests();
    expect(first).toMatchObject({ status: 0, bytesIn: 0, fault: "reset" });
    expect(second?.bytesIn).toBeGreaterThan(MIB);
    expect(second?.bytesIn).toBeLessThan(3 * MIB);
    expect(keys()).toEqual([]);
  });

  test("reset and status of a part by its number", async () => {
    const { Key, UploadId } = await startedUpload();
    server.emulator.order({
      kind: "UploadPart",
      partNumber: 3,
      fault: { kind: "status", status: 500 },
    });
    const part = (PartNumber: number): Promise<string> =>
      refusal(client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: "x" })));
    expect([await part(2), await part(3), await part(3)]).toEqual([
      "accepted",
      "500 InternalError",
      "accepted",
    ]);
  });

  test("odd replies: the work is done, the answer is wrong", async () => {
    await put("k", Buffer.from("abcdef"));
    const get = async (how: Oddity): Promise<string> => {
      server.emulator.order({ kind: "GetObject", fault: { kind: "odd-reply", how } });
      const reply = await client.send(
        new GetObjectCommand({ Bucket, Key: "k", Range: "bytes=1-2" }),
      );
      const body = await reply.Body?.transformToString();
      return `${body} ${reply.ContentRange} ${reply.ETag === '"another"' ? "another" : ""}`;
    };
    expect(await get("whole")).toBe("abcdef undefined ");
    expect(await get("other-range")).toBe("bc bytes 2-3/6 ");
    expect(await get("longer")).toMatch(/^bcmore than was asked for bytes 1-2\/6 $/);
    expect(await get("other-etag")).toBe("bc bytes 1-2/6 another");
    expect(await get("garbage")).toMatch(/^<html>/);
  });

  test("a reply that ends early, in an orderly way", async () => {
    await put("k", Buffer.alloc(4 * MIB));
    server.emulator.order({ kind: "GetObject", fault: { kind: "truncated", afterBytes: MIB } });
    const reply = await client.send(new GetObjectCommand({ Bucket, Key: "k" }));
    await expect(reply.Body?.transformToByteArray()).rejects.toThrow(/aborted/);
  });

  test("reset of a reply after some bytes", async () => {
    await put("k", Buffer.alloc(4 * MIB));
    server.emulator.order({ kind: "GetObject", fault: { kind: "reset", afterBytes: MIB } });
    const read = client
      .send(new GetObjectCommand({ Bucket, Key: "k" }))
      .then((reply) => reply.Body?.transformToByteArray());
    await expect(read).rejects.toThrow();
    expect(server.emulator.requests().at(-1)).toMatchObject({ bytesOut: MIB });
  });

  test("stall: takes the body, never answers", async () => {
    server.emulator.order({ kind: "PutObject", fault: { kind: "stall" } });
    const abort = new AbortController();
    const asked = refusal(
      client.send(new PutObjectCommand({ Bucket, Key: "k", Body: "body" }), {
        abortSignal: abort.signal,
      }),
    );
    await arrived(4);
    abort.abort();
    expect(await asked).toBe("no answer AbortError");
    expect(keys()).toEqual([]);
  });

  test("stall: stops reading within the body; stop() ends it", async () => {
    server.emulator.order({ kind: "PutObject", fault: { kind: "stall", afterBytes: MIB } });
    const asked = put("k", Buffer.alloc(32 * MIB));
    const { bytesIn } = await arrived(MIB);
    expect(bytesIn).toBeLessThan(4 * MIB);
    await server.emulator.stop();
    expect(await asked).toMatch(/^no answer/);
  });

  test("lost reply: the work is done", async () => {
    server.emulator.order({ kind: "CompleteMultipartUpload", fault: { kind: "lost-reply" } });
    const { Key, UploadId, part } = await startedUpload();
    const complete = (): Promise<string> =>
      refusal(
        client.send(
          new CompleteMultipartUploadCommand({
            Bucket,
            Key,
            UploadId,
            MultipartUpload: { Parts: [part] },
          }),
        ),
      );
    expect(await complete()).toMatch(/^no answer/);
    expect(keys()).toEqual([Key]);
    expect(await complete()).toBe("404 NoSuchUpload");
  });

  test("an error in a 200: nothing is done", async () => {
    server.emulator.order({
      kind: "CompleteMultipartUpload",
      fault: { kind: "error-in-200", code: "InternalError" },
    });
    const { Key, UploadId, part } = await startedUpload();
    const complete = (): Promise<string> =>
      refusal(
        client.send(
          new CompleteMultipartUploadCommand({
            Bucket,
            Key,
            UploadId,
            MultipartUpload: { Parts: [part] },
          }),
        ),
      );
    expect(await complete()).toMatch(/InternalError$/);
    expect(server.emulator.requests().at(-1)?.status).toBe(200);
    expect(keys()).toEqual([]);
    expect(await complete()).toBe("accepted");
  });

  test("no such upload: it is gone from then on", async () => {
    const { Key, UploadId } = await startedUpload();
    const parts = (): Promise<string> =>
      refusal(client.send(new ListPartsCommand({ Bucket, Key, UploadId })));
    server.emulator.order({ kind: "ListParts", fault: { kind: "no-such-upload" } });
    expect([await parts(), await parts()]).toEqual(["404 NoSuchUpload", "404 NoSuchUpload"]);
    expect(await server.emulator.uploads()).toEqual([]);
  });

  test("slow: the work waits for the clock", async () => {
    const slept: number[] = [];
    const clock = {
      now: () => systemClock.now(),
      monotonic: () => 0,
      sleep: async (ms: number) => void slept.push(ms),
      after: () => () => {},
    };
    await using slow = await startTestEmulator({ clock, latencyMs: 7 });
    slow.emulator.order({ kind: "PutObject", fault: { kind: "slow", delayMs: 5000 } });
    const other = clientOf(slow.emulator);
    await other.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
    await other.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
    other.destroy();
    expect(slept).toEqual([7, 5000, 7]);
  });

  test("late: the connection is reset, and the work is done behind what was asked meanwhile", async () => {
    server.emulator.order({ kind: "PutObject", fault: { kind: "late", delayMs: 200 } });
    const put = (Body: string): Promise<unknown> =>
      client.send(new PutObjectCommand({ Bucket, Key: "k", Body }));
    expect(await refusal(put("late"))).toMatch("no answer");
    await put("in time");
    const size = (): number | undefined => server.emulator.objects(Bucket)[0]?.size;
    expect(size()).toBe("in time".length);
    await expect.poll(size).toBe("late".length);
  });

  test.each([
    { kind: "Nonsense", fault: { kind: "reset" } },
    { kind: "any", fault: { kind: "nonsense" } },
    { kind: "any", fault: { kind: "status", status: 7 } },
    { kind: "any", fault: { kind: "odd-reply", how: "nonsense" } },
    { kind: "any", fault: { kind: "reset" }, count: 0 },
    { kind: "any", fault: { kind: "reset" }, keyPattern: "(" },
    { kind: "any" },
  ])("the order %j is refused", async (order) => {
    expect((await post(order)).status).toBe(400);
  });
});

function post(order: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${server.emulator.endpoint}/-/orders`, {
    method: "POST",
    headers,
    body: JSON.stringify(order),
  });
}

async function page(name: string): Promise<unknown> {
  return (await fetch(`${server.emulator.endpoint}/-/${name}`)).json();
}

describe("emulator: pages for other processes", () => {
  test("order faults and show how often they were met", async () => {
    expect(
      await (
        await post({ kind: "PutObject", keyPattern: "^a", fault: { kind: "status", status: 500 } })
      ).json(),
    ).toMatchObject({ id: 1, fired: 0 });
    expect([await put("b"), await put("a")]).toEqual(["accepted", "500 InternalError"]);
    expect(await page("orders")).toMatchObject([
      { id: 1, fired: 1, kind: "PutObject", keyPattern: "^a" },
    ]);
  });

  test("take all orders back", async () => {
    await post({ kind: "any", count: 9, fault: { kind: "reset" } });
    await fetch(`${server.emulator.endpoint}/-/orders`, { method: "DELETE" });
    expect(await put("b")).toBe("accepted");
  });

  test("refuse an order of a type that any web page could send", async () => {
    const body = JSON.stringify({ kind: "any", fault: { kind: "reset" } });
    const reply = await fetch(`${server.emulator.endpoint}/-/orders`, { method: "POST", body });
    expect(reply.status).toBe(415);
  });

  test("show requests and unfinished uploads", async () => {
    const { Key, UploadId } = await startedUpload();
    expect(await page("requests")).toMatchObject([
      { kind: "CreateMultipartUpload", key: Key, status: 200, bytesIn: 0 },
      { kind: "UploadPart", key: Key, status: 200, bytesIn: 4, partNumber: 1, uploadId: UploadId },
    ]);
    expect(await page("uploads")).toMatchObject([
      { bucket: Bucket, key: Key, uploadId: UploadId, parts: [{ partNumber: 1, size: 4 }] },
    ]);
    expect((await fetch(`${server.emulator.endpoint}/-/nonsense`)).status).toBe(404);
  });
});
