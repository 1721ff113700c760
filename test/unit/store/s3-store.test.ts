// The S3 adapter against a server that answers as the test says: what is sent, what is made of replies, and of faults.

import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  PROVIDERS,
  toEtag,
  toKey,
  toPartNumber,
  toSha256,
  toUploadId,
} from "../../../src/model/mod.ts";
import type { Body } from "../../../src/store/mod.ts";
import { tempDir } from "../../support/temp.ts";
import { accept, bodyOf, refuse, TinyServer } from "./tiny-server.ts";

const MIB = 1024 * 1024;
const KEY = toKey("a b/ü+%&'.bin");

function sha256Of(bytes: Uint8Array): ReturnType<typeof toSha256> {
  return toSha256(createHash("sha256").update(bytes).digest("hex"));
}

function part(body: Body, sha256 = toSha256("0".repeat(64))) {
  return { key: KEY, uploadId: toUploadId("U"), partNumber: toPartNumber(3), body, sha256 };
}

async function fileOf(dir: string, bytes: Uint8Array): Promise<Body> {
  const path = join(dir, "part");
  await writeFile(path, bytes);
  return { kind: "file", path, size: bytes.length };
}

const small: Body = { kind: "bytes", bytes: Buffer.from("hello") };

describe("uploadPart()", () => {
  test("streams exactly the first bytes of the file, signed with the given hash, without Expect and chunks", async () => {
    await using temp = await tempDir();
    const bytes = randomBytes(3 * MIB + 17);
    let got: Buffer | undefined;
    await using server = await TinyServer.start(async (_, request, response) => {
      got = await bodyOf(request);
      response.writeHead(200, { ETag: '"part"' }).end();
    });
    const file = await fileOf(temp.path, Buffer.concat([bytes, Buffer.from("later")]));
    const sha256 = sha256Of(bytes);
    const reply = await server
      .store()
      .uploadPart(part({ ...file, size: bytes.length } as Body, sha256));
    expect(reply.etag).toBe('"part"');
    expect(got?.equals(bytes)).toBe(true);
    const { headers, url } = server.requests[0] ?? {};
    expect(url).toMatch(/^\/b\/p\/a%20b\/%C3%BC%2B%25%26%27\.bin\?/);
    const query = new URL(url ?? "", "http://x").searchParams;
    expect([query.get("partNumber"), query.get("uploadId")]).toEqual(["3", "U"]);
    expect(headers?.["x-amz-content-sha256"]).toBe(sha256);
    expect(headers?.["content-length"]).toBe(String(bytes.length));
    expect(headers?.expect).toBeUndefined();
    expect(headers?.["transfer-encoding"]).toBeUndefined();
    expect(headers?.authorization).toContain("x-amz-content-sha256");
    expect(Object.keys(headers ?? {}).filter((name) => name.includes("checksum"))).toEqual([]);
  });

  test("keeps its connections between parts", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((_, request, response) =>
      accept(request, response),
    );
    const store = server.store();
    const file = await fileOf(temp.path, randomBytes(2 * MIB));
    for (let i = 0; i < 5; i += 1) await store.uploadPart(part(file));
    await Promise.all(Array.from({ length: 12 }, () => store.uploadPart(part(file))));
    expect(server.sockets.size).toBeLessThanOrEqual(4);
  });

  test("a file that is shorter than said is Corrupt, and one that is gone as well", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((_, request, response) =>
      accept(request, response),
    );
    const file = await fileOf(temp.path, randomBytes(100));
    const store = server.store();
    await expect(store.uploadPart(part({ ...file, size: 101 } as Body))).rejects.toMatchObject({
      code: "Corrupt",
    });
    const gone: Body = { kind: "file", path: join(temp.path, "gone"), size: 5 };
    await expect(store.uploadPart(part(gone))).rejects.toMatchObject({ code: "Corrupt" });
  });

  test("a connection that is reset in the body is Unreachable", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((_, request) => {
      request.once("data", () => request.socket.resetAndDestroy());
    });
    const file = await fileOf(temp.path, randomBytes(8 * MIB));
    await expect(server.store().uploadPart(part(file))).rejects.toMatchObject({
      code: "Unreachable",
      retryable: true,
    });
  });

  test("a refusal that comes before the end of the body is what is reported", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((number, request, response) => {
      if (number > 1) return accept(request, response);
      refuse(response, 403, "AccessDenied");
    });
    const store = server.store({ connections: 1 });
    const file = await fileOf(temp.path, randomBytes(16 * MIB));
    await expect(store.uploadPart(part(file))).rejects.toMatchObject({ code: "AccessDenied" });
    expect((await store.uploadPart(part(file))).etag).toBe('"e"');
  });

  test("a success without ETag is nobody's word: Unavailable", async () => {
    await using server = await TinyServer.start((_, request, response) => {
      request.resume().on("end", () => response.end("<html>Welcome to our hotel</html>"));
    });
    await expect(server.store().uploadPart(part(small))).rejects.toMatchObject({
      code: "Unavailable",
    });
  });

  test("a success before the body was sent is Unavailable", async () => {
    await using temp = await tempDir();
    await using server = await TinyServer.start((_, _request, response) => {
      response.writeHead(200, { ETag: '"early"' }).end();
    });
    const file = await fileOf(temp.path, randomBytes(32 * MIB));
    await expect(server.store().uploadPart(part(file))).rejects.toMatchObject({
      code: "Unavailable",
    });
  });
});

describe("get()", () => {
  const ranged = { key: KEY, range: { offset: 2, length: 3 } };

  test("asks for the range and gives exactly those bytes", async () => {
    await using server = await TinyServer.start((_, _request, response) => {
      response
        .writeHead(206, { ETag: '"v"', "content-range": "bytes 2-4/9", "content-length": 3 })
        .end("cde");
    });
    const { bytes, etag } = await server.store().get({ ...ranged, etag: toEtag('"v"') });
    expect([bytes.toString(), etag]).toEqual(["cde", '"v"']);
    expect(server.requests[0]?.headers).toMatchObject({ range: "bytes=2-4", "if-match": '"v"' });
  });

  const bytes2To4 = { ETag: '"v"', "content-range": "bytes 2-4/9" };

  test.each([
    ["another version", { ...bytes2To4, ETag: '"w"' }, "cde", "PreconditionFailed"],
    ["other bytes", { ...bytes2To4, "content-range": "bytes 1-3/9" }, "cde", "BadReply"],
    ["less, at the end", { ...bytes2To4, "content-range": "bytes 2-3/4" }, "cd", "Invalid"],
    ["the whole object", { ETag: '"v"' }, "abcdefghi", "Rejected"],
    ["no version", { "content-range": "bytes 2-4/9" }, "cde", "Unavailable"],
  ])("%s is refused", async (_, headers, body, code) => {
    await using server = await TinyServer.start((_number, _request, response) => {
      const status = "content-range" in headers ? 206 : 200;
      response.writeHead(status, { ...headers, "content-length": body.length }).end(body);
    });
    await expect(server.store().get({ ...ranged, etag: toEtag('"v"') })).rejects.toMatchObject({
      code,
    });
  });

  test("a whole object that is the range is taken", async () => {
    await using server = await TinyServer.start((_, _request, response) => {
      response.writeHead(200, { ETag: '"v"', "content-length": 3 }).end("abc");
    });
    const { bytes } = await server.store().get({ key: KEY, range: { offset: 0, length: 3 } });
    expect(bytes.toString()).toBe("abc");
  });

  test("a body that breaks off is retryable", async () => {
    await using server = await TinyServer.start((_, request, response) => {
      response.writeHead(200, { ETag: '"v"', "content-length": 9 }).write("abc");
      setImmediate(() => request.socket.destroy());
    });
    await expect(server.store().get({ key: KEY })).rejects.toMatchObject({ retryable: true });
  });

  test("an empty object", async () => {
    await using server = await TinyServer.start((_, _request, response) => {
      response.writeHead(200, { ETag: '"v"', "content-length": 0 }).end();
    });
    expect((await server.store().get({ key: KEY })).bytes).toHaveLength(0);
  });
});

describe("head()", () => {
  test("gives what is known, and undefined for what is not there, over one connection", async () => {
    await using server = await TinyServer.start((number, _request, response) => {
      if (number === 1)
        response.writeHead(200, {
          ETag: '"v"',
          "content-length": 7,
          "last-modified": "Tue, 24 Nov 2026 17:00:00 GMT",
          "x-amz-meta-kodomount-save": "id",
        });
      else response.writeHead(404, { "content-length": 0 });
      response.end();
    });
    const store = server.store({ connections: 1 });
    expect(await store.head(KEY)).toEqual({
      etag: '"v"',
      size: 7,
      lastModifiedMs: Date.UTC(2026, 10, 24, 17),
      storageClass: undefined,
      metadata: { "kodomount-save": "id" },
    });
    for (let i = 0; i < 3; i += 1) expect(await store.head(KEY)).toBeUndefined();
    expect(server.sockets.size).toBe(1);
  });
});

describe("list()", () => {
  const page = (inner: string): string =>
    `<?xml version="1.0"?><ListBucketResult><Name>b</Name>${inner}</ListBucketResult>`;
  const object = (key: string): string =>
    `<Contents><Key>${key}</Key><ETag>&quot;e&quot;</ETag><Size>5</Size><LastModified>2026-11-24T17:00:00.000Z</LastModified></Contents>`;

  test("takes the prefix off, drops its own marker and repeated prefixes", async () => {
    await using server = await TinyServer.start((_, _request, response) => {
      const prefixes = "<CommonPrefixes><Prefix>p/d/</Prefix></CommonPrefixes>".repeat(2);
      const objects = object("p/") + object("p/a &amp;+%41");
      response.end(page(`<IsTruncated>false</IsTruncated>${objects}${prefixes}`));
    });
    const found = await server.store().list({ prefix: toKey(""), delimiter: true });
    expect(found.objects.map(({ key }) => key)).toEqual(["a &+%41"]);
    expect(found.objects[0]).toMatchObject({ etag: '"e"', size: 5 });
    expect(found.prefixes).toEqual(["d/"]);
    expect(found.token).toBeUndefined();
    expect(server.requests[0]?.url).not.toContain("encoding-type");
  });

  test("asks for encoded keys where the store can, and decodes them", async () => {
    await using server = await TinyServer.start((_, _request, response) => {
      response.end(page(`<EncodingType>url</EncodingType>${object("p/a+b%2B%C3%BC%01")}`));
    });
    const store = server.store({ provider: { ...PROVIDERS.kodo, listEncoding: true } });
    const found = await store.list({ prefix: toKey(""), delimiter: false });
    expect(found.objects[0]?.key).toBe("a b+ü\u0001");
    expect(server.requests[0]?.url).toContain("encoding-type=url");
  });

  test("a list that goes on without a way on is an error, not an end", async () => {
    await using server = await TinyServer.start((_, _request, response) => {
      response.end(page("<IsTruncated>true</IsTruncated>"));
    });
    const list = server.store().list({ prefix: toKey(""), delimiter: false });
    await expect(list).rejects.toMatchObject({ code: "Rejected" });
  });

  test.each([["<html><body>Log in</body></html>"], ["not even that"], [""]])(
    "somebody else's page is not an empty list: %j",
    async (text) => {
      await using server = await TinyServer.start((_, _request, response) => response.end(text));
      const list = server.store().list({ prefix: toKey(""), delimiter: false });
      await expect(list).rejects.toMatchObject({ code: "Unavailable" });
    },
  );
});
