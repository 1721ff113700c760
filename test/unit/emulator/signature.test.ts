// What the emulator refuses before it does anything: the signature, against the SDK's signer and against hand-made faults.

import { createHash } from "node:crypto";
import http from "node:http";
import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestEmulator, TEST_KEYS, type TestEmulator } from "../../support/emulator.ts";
import { clientOf, refusal } from "./client.ts";

const Bucket = "bucket";

let server: TestEmulator;

beforeAll(async () => {
  server = await startTestEmulator();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Puts an object by a client that was made differently. */
async function putBy(
  change: Parameters<typeof clientOf>[1],
  tamper?: (client: S3Client) => void,
): Promise<string> {
  const client = clientOf(server.emulator, change);
  tamper?.(client);
  try {
    return await refusal(client.send(new PutObjectCommand({ Bucket, Key: "k", Body: "the body" })));
  } finally {
    client.destroy();
  }
}

interface Sent {
  readonly headers: Record<string, string>;
  path: string;
  body: unknown;
}

/** Changes the request after it was signed. */
function afterSigning(change: (request: Sent) => void): (client: S3Client) => void {
  return (client) =>
    client.middlewareStack.add(
      (next) => (args) => {
        change(args.request as Sent);
        return next(args);
      },
      { step: "finalizeRequest", priority: "low", name: "tamper" },
    );
}

describe("emulator: signatures", () => {
  test("accepts the SDK's", async () => {
    expect(await putBy({})).toBe("accepted");
  });

  test("refuses an unknown access key", async () => {
    expect(await putBy({ credentials: { ...TEST_KEYS, accessKeyId: "unknown" } })).toBe(
      "403 InvalidAccessKeyId",
    );
  });

  test("refuses a wrong secret key", async () => {
    expect(await putBy({ credentials: { ...TEST_KEYS, secretAccessKey: "wrong" } })).toBe(
      "403 SignatureDoesNotMatch",
    );
  });

  test("refuses another region", async () => {
    expect(await putBy({ region: "us-east-1" })).toBe("400 IncorrectRegion");
  });

  test.each([-16, 16])("refuses a clock that is %i minutes off", async (minutes) => {
    expect(await putBy({ systemClockOffset: minutes * 60_000 })).toBe("403 RequestTimeTooSkewed");
  });

  test("bears a clock that is 14 minutes off", async () => {
    expect(await putBy({ systemClockOffset: 14 * 60_000 })).toBe("accepted");
  });

  test("refuses a body that changed after it was signed, and keeps nothing of it", async () => {
    const changed = await putBy(
      {},
      afterSigning((request) => {
        request.body = "another ";
      }),
    );
    expect(changed).toBe("400 XAmzContentSHA256Mismatch");
    const client = clientOf(server.emulator);
    const reply = await client.send(new GetObjectCommand({ Bucket, Key: "k" }));
    expect(await reply.Body?.transformToString()).toBe("the body");
    client.destroy();
  });

  test("refuses a path or header that changed after it was signed", async () => {
    expect(
      await putBy(
        {},
        afterSigning((request) => {
          request.path = "/bucket/other";
        }),
      ),
    ).toBe("403 SignatureDoesNotMatch");
    expect(
      await putBy(
        {},
        afterSigning((request) => {
          request.headers["x-amz-date"] =
            request.headers["x-amz-date"]?.replace(/.Z$/, (z) => (z === "0Z" ? "1Z" : "0Z")) ?? "";
        }),
      ),
    ).toBe("403 SignatureDoesNotMatch");
  });

  test("refuses a header of S3 that is not signed", async () => {
    expect(
      await putBy(
        {},
        afterSigning((request) => {
          request.headers["x-amz-meta-late"] = "1";
        }),
      ),
    ).toBe("403 AccessDenied");
  });

  test("refuses a wrong Content-MD5", async () => {
    const client = clientOf(server.emulator);
    const md5 = (ContentMD5: string): Promise<string> =>
      refusal(client.send(new PutObjectCommand({ Bucket, Key: "md5", Body: "x", ContentMD5 })));
    expect(await md5("AAAAAAAAAAAAAAAAAAAAAA==")).toBe("400 BadDigest");
    expect(await md5("nonsense")).toBe("400 InvalidDigest");
    expect(await md5(createHash("md5").update("x").digest("base64"))).toBe("accepted");
    client.destroy();
  });

  test("refuses requests without a name", async () => {
    const status = await new Promise((resolve, reject) => {
      http
        .get(`${server.emulator.endpoint}/bucket/k`, (reply) => {
          reply.resume().on("end", () => resolve(reply.statusCode));
        })
        .on("error", reject);
    });
    expect(status).toBe(400);
  });
});
