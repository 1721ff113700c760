// What the S3 adapter makes of refusals, broken connections and aborts.

import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../../../src/base/mod.ts";
import { toEtag, toKey, toPartNumber, toSha256, toUploadId } from "../../../src/model/mod.ts";
import { type Body, createS3Store } from "../../../src/store/mod.ts";
import { accept, refuse, TinyServer } from "./tiny-server.ts";

const KEY = toKey("a b/k.bin");
const small: Body = { kind: "bytes", bytes: Buffer.from("hello") };

function part(body: Body) {
  const at = { key: KEY, uploadId: toUploadId("U"), partNumber: toPartNumber(3) };
  return { ...at, body, sha256: toSha256("0".repeat(64)) };
}

describe("errors", () => {
  const upload = { key: KEY, uploadId: toUploadId("U") };

  test.each([
    [403, "SignatureDoesNotMatch", "BadCredentials"],
    [403, "InvalidAccessKeyId", "BadCredentials"],
    [403, "RequestTimeTooSkewed", "ClockSkewed"],
    [403, "AccessDenied", "AccessDenied"],
    [400, "IncorrectRegion", "WrongRegion"],
    [301, "PermanentRedirect", "WrongRegion"],
    [400, "AuthorizationHeaderMalformed", "WrongRegion"],
    [400, "XAmzContentSHA256Mismatch", "BadDigest"],
    [404, "NoSuchBucket", "NoSuchBucket"],
    [404, "NoSuchUpload", "NoSuchUpload"],
    [403, "QuotaExceeded", "QuotaExceeded"],
    [403, "InvalidObjectState", "Archived"],
    [503, "SlowDown", "Unavailable"],
    [400, "RequestTimeout", "Unavailable"],
    [400, "InvalidStorageClass", "Rejected"],
    [501, "NotImplemented", "NotSupported"],
    [507, "Whatever", "QuotaExceeded"],
    [418, "constructor", "Rejected"],
  ])("%i %s is %s, with request and reason and without a credential", async (status, s3, code) => {
    await using server = await TinyServer.start((_, request, response) => {
      request.resume();
      refuse(response, status, s3);
    });
    const failed = await server
      .store()
      .uploadPart(part(small))
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code });
    expect(String(failed)).toContain(`PUT part 3 of ${KEY}`);
    expect(String(failed)).toContain(s3);
    expect(String(failed)).toContain("REQ");
    expect(inspect(failed, { depth: 9 })).not.toMatch(/KEYID|verysecret/);
  });

  test("a gateway's page is Unavailable", async () => {
    await using server = await TinyServer.start((_, request, response) => {
      request.resume();
      response.writeHead(502, { "content-type": "text/html" }).end("<html><p>Bad gateway</html>");
    });
    const failed = server.store().uploadPart(part(small));
    await expect(failed).rejects.toMatchObject({ code: "Unavailable" });
  });

  test("a redirection that no store has written is Unavailable, not a wrong region", async () => {
    await using server = await TinyServer.start((_, request, response) => {
      request.resume();
      response.writeHead(302, { location: "http://login.example/" }).end();
    });
    await expect(server.store().head(KEY)).rejects.toMatchObject({ code: "Unavailable" });
  });

  test("a refused connection is Unreachable", async () => {
    const { store } = await (async () => {
      await using server = await TinyServer.start(() => {});
      return { store: createS3Store(server.options, { clock: systemClock, log: silentLog }) };
    })();
    await expect(store.head(KEY)).rejects.toMatchObject({ code: "Unreachable", retryable: true });
    store.close();
  });

  test("complete() and copy() see an error inside of a 200", async () => {
    await using server = await TinyServer.start((_, request, response) => {
      request.resume();
      refuse(response, 200, "InternalError");
    });
    const store = server.store();
    const complete = store.complete({
      ...upload,
      parts: [{ partNumber: toPartNumber(1), etag: toEtag("e") }],
    });
    await expect(complete).rejects.toMatchObject({ code: "Unavailable" });
    const copy = store.copy({ from: KEY, to: toKey("x"), etag: toEtag("e") });
    await expect(copy).rejects.toMatchObject({ code: "Unavailable" });
  });

  test("what is not found about an upload is the upload; to abort what is gone succeeds", async () => {
    await using server = await TinyServer.start((_, request, response) => {
      request.resume();
      response.writeHead(404).end();
    });
    const store = server.store();
    await expect(store.listParts(upload)).rejects.toMatchObject({ code: "NoSuchUpload" });
    await expect(store.uploadPart(part(small))).rejects.toMatchObject({ code: "NoSuchUpload" });
    await store.abort(upload);
    await store.delete(KEY);
  });

  test("a kept connection that the server has reset is Unreachable, and the next request is fine", async () => {
    await using server = await TinyServer.start((number, request, response) => {
      if (number === 2) request.socket.resetAndDestroy();
      else accept(request, response);
    });
    const store = server.store({ connections: 1 });
    await store.uploadPart(part(small));
    await expect(store.uploadPart(part(small))).rejects.toMatchObject({ code: "Unreachable" });
    expect((await store.uploadPart(part(small))).etag).toBe('"e"');
  });
});

describe("abort and close()", () => {
  test("an aborted request is Interrupted and its connection is gone", async () => {
    await using server = await TinyServer.start((_, request) => request.resume());
    const abort = new AbortController();
    const sending = server.store().uploadPart(part(small), abort.signal);
    await expect.poll(() => server.requests.length).toBe(1);
    abort.abort();
    await expect(sending).rejects.toMatchObject({ code: "Interrupted" });
    await expect.poll(() => [...server.sockets].every(({ closed }) => closed)).toBe(true);
    const later = server.store().uploadPart(part(small), abort.signal);
    await expect(later).rejects.toMatchObject({ code: "Interrupted" });
  });

  test("a request that waits for a connection is interrupted at once, and the others go on", async () => {
    let answer = (): void => {};
    await using server = await TinyServer.start((_, request, response) => {
      answer = () => accept(request, response);
    });
    const store = server.store({ connections: 1 });
    const first = store.uploadPart(part(small));
    await expect.poll(() => server.requests.length).toBe(1);
    const abort = new AbortController();
    const second = store.uploadPart(part(small), abort.signal);
    const third = store.uploadPart(part(small));
    abort.abort();
    await expect(second).rejects.toMatchObject({ code: "Interrupted" });
    answer();
    await first;
    await expect.poll(() => server.requests.length).toBe(2);
    answer();
    await third;
    expect(server.sockets.size).toBe(1);
  });

  test("close() interrupts what is under way, what waits for a connection, and what comes later", async () => {
    await using server = await TinyServer.start((_, request) => request.resume());
    const store = server.store({ connections: 1 });
    const sending = [store.uploadPart(part(small)), store.head(KEY)];
    const outcomes = Promise.allSettled(sending);
    await expect.poll(() => server.requests.length).toBe(1);
    store.close();
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "Interrupted" } });
    await expect(store.head(KEY)).rejects.toMatchObject({ code: "Interrupted" });
  });
});
