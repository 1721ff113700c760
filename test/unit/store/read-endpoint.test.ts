// What a CDN is asked, and what of its answers is taken.

import { createHmac } from "node:crypto";
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../../../src/base/mod.ts";
import { PROVIDERS, toEtag, toKey } from "../../../src/model/mod.ts";
import { createReadEndpoint, type StoreOptions } from "../../../src/store/mod.ts";
import { TinyServer } from "./tiny-server.ts";

const ETAG = toEtag('"1"');

async function ask(
  answer: (response: ServerResponse) => unknown,
  changes: Partial<StoreOptions> = {},
): Promise<{ url: string; text: Promise<string>; headers: Record<string, unknown> }> {
  await using server = await TinyServer.start((_, __, response) => answer(response));
  const { endpoint } = server.options;
  const clock = { ...systemClock, now: () => Date.UTC(2026, 0, 15, 12) };
  const reads = createReadEndpoint(
    { url: `${endpoint}/base`, store: { ...server.options, ...changes } },
    { clock, log: silentLog },
  );
  let text = "";
  const range = { offset: 2, length: 3 };
  const read = reads.read({ key: toKey("a b/ü+(1)"), etag: ETAG, range }, (piece) => {
    text += piece.toString();
  });
  // Settled before the server goes.
  const [settled] = await Promise.allSettled([read]);
  const [request] = server.requests;
  return {
    url: `${endpoint}${request?.url}`,
    headers: request?.headers ?? {},
    text: settled.status === "fulfilled" ? Promise.resolve(text) : Promise.reject(settled.reason),
  };
}

const give =
  (headers: Record<string, string>, status = 206) =>
  (response: ServerResponse) =>
    response.writeHead(status, { etag: ETAG, "content-length": "3", ...headers }).end("cde");
const RIGHT = { "content-range": "bytes 2-4/9" };

describe("createReadEndpoint", () => {
  test("S7.14 asks for the key below the address, without a signature of S3", async () => {
    const { url, headers, text } = await ask(give(RIGHT), { provider: PROVIDERS.generic });
    expect(await text).toBe("cde");
    expect(new URL(url).pathname + new URL(url).search).toBe("/base/p/a%20b/%C3%BC%2B%281%29");
    expect(headers["authorization"]).toBeUndefined();
    expect(headers["range"]).toBe("bytes=2-4");
  });

  test("S7.14 at Kodo with a token of the keys, good for two days at most", async () => {
    const { url, text } = await ask(give(RIGHT));
    expect(await text).toBe("cde");
    const [signed = "", token] = url.split("&token=");
    expect(signed).toMatch(/\?e=1768608000$/);
    const hash = createHmac("sha1", "verysecret").update(signed).digest("base64");
    expect(token).toBe(`KEYID:${hash.replaceAll("+", "-").replaceAll("/", "_")}`);
  });

  test("temporary keys are not shown to it", async () => {
    const credentials = {
      kind: "static",
      accessKeyId: "KEYID",
      secretAccessKey: "verysecret",
      sessionToken: "SESSION",
    } as const;
    expect((await ask(give(RIGHT), { credentials })).url).not.toMatch(/KEYID|SESSION/);
  });

  test.each([
    ["another version", give({ ...RIGHT, etag: '"2"' }), "PreconditionFailed"],
    ["a weak ETag", give({ ...RIGHT, etag: 'W/"1"' }), "PreconditionFailed"],
    [
      "no ETag",
      (response: ServerResponse) => response.writeHead(206, RIGHT).end("cde"),
      "Unavailable",
    ],
    ["another range", give({ "content-range": "bytes 1-3/9" }), "BadReply"],
    ["all of it", give({ "content-length": "9" }, 200), "Rejected"],
    ["that it is not there", give({}, 404), "NotFound"],
    ["that it may not be read", give({}, 403), "AccessDenied"],
    ["a redirection", give({ location: "http://elsewhere/" }, 302), "Unavailable"],
    ["that it is busy", give({}, 503), "Unavailable"],
    [
      "less than it says",
      (response: ServerResponse) => {
        response.writeHead(206, { etag: ETAG, ...RIGHT, "content-length": "3" });
        response.write("c", () => response.destroy());
      },
      "Unreachable",
    ],
  ])("S7.14 takes nothing when it answers %s", async (_, answer, code) => {
    const { text } = await ask(answer);
    await expect(text).rejects.toMatchObject({ code });
    await expect(text).rejects.not.toThrow(/token|verysecret/);
  });
});
