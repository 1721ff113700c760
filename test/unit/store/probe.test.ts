// What is found out about a store before it is trusted.

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { checkAccess, probePayloadHash } from "../../../src/store/mod.ts";
import { accept, bodyOf, refuse, TinyServer } from "./tiny-server.ts";

test("probePayloadHash(): verified, when the store refuses a body that is not what was signed", async () => {
  await using server = await TinyServer.start(async (_, request, response) => {
    const hash = createHash("sha256")
      .update(await bodyOf(request))
      .digest("hex");
    if (hash !== request.headers["x-amz-content-sha256"])
      return refuse(response, 400, "XAmzContentSHA256Mismatch");
    response.writeHead(200, { ETag: '"e"' }).end();
  });
  expect(await probePayloadHash(server.store())).toBe("verified");
  expect(server.requests.map(({ method }) => method)).toEqual(["PUT"]);
});

test("probePayloadHash(): not verified, when the store takes anything; what it took is deleted", async () => {
  await using server = await TinyServer.start((_, request, response) => accept(request, response));
  expect(await probePayloadHash(server.store())).toBe("not verified");
  const [put, del] = server.requests;
  expect([put?.method, del?.method]).toEqual(["PUT", "DELETE"]);
  const pathOf = (url: string | undefined): string => new URL(url ?? "", "http://x").pathname;
  expect(pathOf(put?.url)).toMatch(/^\/b\/p\/\.kodomount-probe-[0-9a-f]+$/);
  expect(pathOf(del?.url)).toBe(pathOf(put?.url));
});

test.each([
  [404, "NoSuchBucket", "NoSuchBucket"],
  [404, "NoSuchKey", "NoSuchBucket"],
  [403, "InvalidAccessKeyId", "BadCredentials"],
  [400, "IncorrectRegion", "WrongRegion"],
])("checkAccess(): %i %s is %s", async (status, s3Code, code) => {
  await using server = await TinyServer.start((_, request, response) => {
    request.resume();
    refuse(response, status, s3Code);
  });
  await expect(checkAccess(server.store())).rejects.toMatchObject({ code });
});
