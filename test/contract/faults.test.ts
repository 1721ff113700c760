// What a store's failures become: the S3 adapter on an emulator that fails as it is told, and behind a network that dies.

import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Clock, silentLog, systemClock } from "../../src/base/mod.ts";
import type { Fault, OperationKind } from "../../src/emulator/mod.ts";
import { toKey, toPartNumber, type UploadId } from "../../src/model/mod.ts";
import { createS3Store, type ObjectStore, withRetry } from "../../src/store/mod.ts";
import { type CountingProxy, startCountingProxy } from "../support/counting-proxy.ts";
import { startTestEmulator, type TestEmulator } from "../support/emulator.ts";
import { hashOf, rejection } from "./bench.ts";

const MIB = 1024 * 1024;
const KEY = toKey("dir/key");
const BYTES = randomBytes(4 * MIB);
/** Pauses between attempts end at once. */
const HASTY: Clock = { ...systemClock, sleep: async () => {} };

let server: TestEmulator;
let proxy: CountingProxy;
let bare: ObjectStore;
let store: ObjectStore;

beforeEach(async () => {
  server = await startTestEmulator();
  proxy = await startCountingProxy(server.emulator.endpoint);
  const options = server.storeOptions({ endpoint: proxy.endpoint });
  bare = createS3Store(options, { clock: systemClock, log: silentLog });
  store = withRetry(bare, { clock: HASTY, log: silentLog });
});
afterEach(async () => {
  bare.close();
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const body = { kind: "bytes", bytes: BYTES } as const;

function put(by: ObjectStore): Promise<unknown> {
  return by.put({ key: KEY, body, sha256: hashOf(BYTES), metadata: {} });
}

async function upload(
  by: ObjectStore,
): Promise<{ uploadId: UploadId; complete: () => Promise<void> }> {
  const { uploadId } = await by.createUpload({ key: KEY, metadata: {} });
  const partNumber = toPartNumber(1);
  const request = { key: KEY, uploadId, partNumber, body, sha256: hashOf(BYTES) };
  const { etag } = await by.uploadPart(request);
  const parts = [{ partNumber, etag }];
  return { uploadId, complete: () => by.complete({ key: KEY, uploadId, parts }) };
}

async function stored(): Promise<boolean> {
  return (await bare.get({ key: KEY })).bytes.equals(BYTES);
}

function order(kind: OperationKind, fault: Fault, count = 1): void {
  server.emulator.order({ kind, fault, count });
}

const PASSING: [string, Fault, string][] = [
  ["503 SlowDown", { kind: "status", status: 503 }, "Unavailable"],
  ["500", { kind: "status", status: 500, code: "InternalError" }, "Unavailable"],
  ["429", { kind: "status", status: 429 }, "Unavailable"],
  ["a reset before the body", { kind: "reset" }, "Unreachable"],
  ["a reset within the body", { kind: "reset", afterBytes: MIB }, "Unreachable"],
  ["a lost reply", { kind: "lost-reply" }, "Unreachable"],
];

describe("faults that pass", () => {
  test.each(PASSING)("%s: put()", async (_, fault, code) => {
    order("PutObject", fault, 3);
    expect(await rejection(put(bare))).toBe(code);
    await put(store);
    expect(await stored()).toBe(true);
  });

  test.each(PASSING)("%s: uploadPart() and complete()", async (_, fault) => {
    order("UploadPart", fault, 3);
    const { complete } = await upload(store);
    await complete();
    expect(await stored()).toBe(true);
  });

  test("get() of a body that breaks off gives all of it, later", async () => {
    await put(bare);
    order("GetObject", { kind: "reset", afterBytes: MIB }, 3);
    expect(await rejection(bare.get({ key: KEY }))).toBe("Unreachable");
    expect((await store.get({ key: KEY })).bytes.equals(BYTES)).toBe(true);
  });

  test("a delete whose reply is lost has deleted", async () => {
    await put(bare);
    order("DeleteObject", { kind: "lost-reply" });
    await store.delete(KEY);
    expect(server.emulator.objects("bucket")).toEqual([]);
  });

  test("an abort whose reply is lost has aborted", async () => {
    const { uploadId } = await upload(bare);
    order("AbortMultipartUpload", { kind: "lost-reply" });
    await store.abort({ key: KEY, uploadId });
    expect(await server.emulator.uploads()).toEqual([]);
  });
});

describe("a clock that is set", () => {
  test("regression: HEAD, whose refusal has no words, is tried again with the store's time", async () => {
    let skewMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + skewMs };
    await using other = await startTestEmulator({ clock });
    const client = createS3Store(other.storeOptions(), { clock: systemClock, log: silentLog });
    await put(client);
    skewMs = 3 * 3600_000;
    await expect(client.head(KEY)).rejects.toMatchObject({ code: "ClockSkewed" });
    skewMs = 0;
    const patient = withRetry(client, { clock: HASTY, log: silentLog });
    expect(await patient.head(KEY)).toMatchObject({ size: BYTES.length });
    // With the right time it is the keys.
    const fault = { kind: "status", status: 403 } as const;
    other.emulator.order({ kind: "HeadObject", fault, count: 1 });
    await expect(patient.head(KEY)).rejects.toMatchObject({ code: "AccessDenied" });
    client.close();
  });
});

describe("faults that are settled by the caller", () => {
  test("complete() whose reply is lost is asked once, and has its effect", async () => {
    const { complete } = await upload(store);
    order("CompleteMultipartUpload", { kind: "lost-reply" });
    expect(await rejection(complete())).toBe("Unreachable");
    expect(await stored()).toBe(true);
    expect(await rejection(complete())).toBe("NoSuchUpload");
  });

  test.each(["InternalError", "SlowDown"])(
    "complete() with %s in a 200 is Unavailable, without effect",
    async (code) => {
      const { complete } = await upload(store);
      order("CompleteMultipartUpload", { kind: "error-in-200", code });
      expect(await rejection(complete())).toBe("Unavailable");
      expect(server.emulator.objects("bucket")).toEqual([]);
      await complete();
      expect(await stored()).toBe(true);
    },
  );

  test("an upload that has expired is NoSuchUpload, for parts and for the complete", async () => {
    const { complete, uploadId } = await upload(store);
    order("ListParts", { kind: "no-such-upload" });
    expect(await rejection(store.listParts({ key: KEY, uploadId }))).toBe("NoSuchUpload");
    expect(await rejection(complete())).toBe("NoSuchUpload");
  });
});

describe("faults that stay", () => {
  test.each([
    [403, "AccessDenied", "AccessDenied"],
    [403, "SignatureDoesNotMatch", "BadCredentials"],
    [507, "QuotaExceeded", "QuotaExceeded"],
    [400, "SomethingNew", "Rejected"],
  ])("%i %s is not asked again", async (status, code, expected) => {
    order("PutObject", { kind: "status", status, code }, 9);
    expect(await rejection(put(store))).toBe(expected);
    expect(server.emulator.requests()).toHaveLength(1);
  });
});

describe("a network that dies", () => {
  test("is Unreachable, and waited out", async () => {
    await put(bare);
    await proxy.down();
    expect(await rejection(put(bare))).toBe("Unreachable");
    let pauses = 0;
    const sleep = async (): Promise<void> => {
      pauses += 1;
      if (pauses === 3) await proxy.up();
    };
    await withRetry(bare, { clock: { ...systemClock, sleep }, log: silentLog }).delete(KEY);
    expect(pauses).toBe(3);
    expect(server.emulator.objects("bucket")).toEqual([]);
  });

  test("in the middle of a body: the body is sent again, and nothing else", async () => {
    const order = server.emulator.order({
      kind: "UploadPart",
      fault: { kind: "stall", afterBytes: MIB },
    });
    const first = upload(store);
    while (order.fired === 0 || proxy.counts().bytesUp < MIB) await systemClock.sleep(1);
    await proxy.down();
    await proxy.up();
    const { complete } = await first;
    await complete();
    expect(await stored()).toBe(true);
    const { requests, bytesUp } = proxy.counts();
    expect(requests).toMatchObject({
      CreateMultipartUpload: 1,
      UploadPart: 2,
      CompleteMultipartUpload: 1,
    });
    // Twice the part, and the list of parts.
    expect(bytesUp).toBeLessThan(2 * BYTES.length + 1000);
    expect(bytesUp).toBeGreaterThan(BYTES.length + MIB);
  });
});

describe("the counting proxy", () => {
  test("counts requests and bytes of bodies in both directions, and passes signed requests", async () => {
    await put(bare);
    await bare.get({ key: KEY });
    expect(await bare.head(KEY)).toMatchObject({ size: BYTES.length });
    expect(proxy.counts()).toMatchObject({
      requests: { PutObject: 1, GetObject: 1, HeadObject: 1 },
      bytesUp: BYTES.length,
      bytesDown: BYTES.length,
    });
  });

  test("paces what passes, over all connections", async () => {
    const slept: number[] = [];
    const clock: Clock = {
      ...systemClock,
      monotonic: () => 0,
      sleep: async (ms) => void slept.push(ms),
    };
    await using slow = await startCountingProxy(server.emulator.endpoint, clock);
    slow.pace(MIB);
    const paced = createS3Store(server.storeOptions({ endpoint: slow.endpoint }), {
      clock: systemClock,
      log: silentLog,
    });
    await Promise.all([put(paced), put(paced)]);
    paced.close();
    expect(Math.max(...slept)).toBeCloseTo(8000, 0);
  });
});
