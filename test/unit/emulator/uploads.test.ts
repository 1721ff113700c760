// Multipart uploads of the emulator, by the SDK as it is.

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/mod.ts";
import { startTestEmulator, type TestEmulator } from "../../support/emulator.ts";
import { clientOf, refusal } from "./client.ts";

const Bucket = "bucket";
const Key = "dir/object";
const LIMITS = { partSizeMin: 4, partSizeMax: 8, pageSizeMax: 3 };

let server: TestEmulator;
let client: S3Client;

beforeEach(async () => {
  server = await startTestEmulator({ limits: LIMITS });
  client = clientOf(server.emulator);
});
afterEach(async () => {
  client.destroy();
  await server[Symbol.asyncDispose]();
});

interface Part {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

async function create(Metadata: Record<string, string> = {}): Promise<string> {
  const reply = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, Metadata }));
  return reply.UploadId ?? "";
}

async function send(UploadId: string, PartNumber: number, Body: string): Promise<Part> {
  const { ETag } = await client.send(
    new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }),
  );
  return { PartNumber, ETag };
}

function complete(UploadId: string, Parts: Part[]): Promise<unknown> {
  return client.send(
    new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
  );
}

async function get(Range?: string): Promise<string> {
  const reply = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
  return (await reply.Body?.transformToString()) ?? "";
}

describe("emulator: multipart uploads", () => {
  test("become one object with the metadata of the upload; numbers may have gaps", async () => {
    const upload = await create({ Mode: "1" });
    const parts = [
      await send(upload, 2, "part"),
      await send(upload, 7, "PART7"),
      await send(upload, 9, "x"),
    ];
    expect(await refusal(get())).toBe("404 NoSuchKey");
    await complete(upload, parts);
    expect(await get()).toBe("partPART7x");
    expect(await get("bytes=2-8")).toBe("rtPART7");
    const head = await client.send(new HeadObjectCommand({ Bucket, Key }));
    expect(head).toMatchObject({ ContentLength: 10, Metadata: { mode: "1" } });
    expect(head.ETag).not.toMatch(/-3"$/);
    expect(await server.emulator.uploads()).toEqual([]);
    expect(await refusal(complete(upload, parts))).toBe("404 NoSuchUpload");
    expect(await refusal(send(upload, 1, "late"))).toBe("404 NoSuchUpload");
  });

  test("take a part again, the last one counts", async () => {
    const upload = await create();
    const old = await send(upload, 1, "old!");
    const part = await send(upload, 1, "new!");
    expect(await refusal(complete(upload, [old]))).toBe("400 InvalidPart");
    await complete(upload, [part]);
    expect(await get()).toBe("new!");
  });

  test("leave out parts that are not named", async () => {
    const upload = await create();
    await send(upload, 1, "left out");
    await complete(upload, [await send(upload, 2, "kept")]);
    expect(await get()).toBe("kept");
  });

  test("refuse at the complete what is wrong with the parts, and go on", async () => {
    const upload = await create();
    const [small, good, large] = [
      await send(upload, 1, "123"),
      await send(upload, 2, "1234"),
      await send(upload, 3, "123456789"),
    ];
    expect(await refusal(complete(upload, [small, good]))).toBe("400 EntityTooSmall");
    expect(await refusal(complete(upload, [good, large]))).toBe("400 EntityTooLarge");
    expect(await refusal(complete(upload, [good, small]))).toBe("400 InvalidPartOrder");
    expect(await refusal(complete(upload, [good, good]))).toBe("400 InvalidPartOrder");
    expect(await refusal(complete(upload, [good, { PartNumber: 4, ETag: good.ETag }]))).toBe(
      "400 InvalidPart",
    );
    expect(await refusal(complete(upload, []))).toBe("400 MalformedXML");
    await complete(upload, [good]);
    expect(await get()).toBe("1234");
  });

  test.each([0, 10_001])("refuse the part number %i", async (partNumber) => {
    expect(await refusal(send(await create(), partNumber, "x"))).toBe("400 InvalidArgument");
  });

  test("list their parts over pages, ascending", async () => {
    const upload = await create();
    for (const partNumber of [10, 1, 3, 9, 2, 20, 7])
      await send(upload, partNumber, `${partNumber}`);
    const seen: number[] = [];
    let marker: string | undefined;
    let truncated = true;
    while (truncated) {
      const page = await client.send(
        new ListPartsCommand({ Bucket, Key, UploadId: upload, PartNumberMarker: marker }),
      );
      seen.push(...(page.Parts ?? []).map(({ PartNumber }) => PartNumber ?? 0));
      truncated = page.IsTruncated === true;
      marker = page.NextPartNumberMarker;
    }
    expect(seen).toEqual([1, 2, 3, 7, 9, 10, 20]);
  });

  test("live side by side for one key; an abort ends one of them", async () => {
    const [one, two] = [await create(), await create()];
    const [partOne, partTwo] = [await send(one, 1, "one!"), await send(two, 1, "two!")];
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: one }));
    expect(await refusal(complete(one, [partOne]))).toBe("404 NoSuchUpload");
    expect(
      await refusal(client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: one }))),
    ).toBe("404 NoSuchUpload");
    await complete(two, [partTwo]);
    expect(await get()).toBe("two!");
  });

  test("belong to their key", async () => {
    const UploadId = await create();
    const asked = client.send(new ListPartsCommand({ Bucket, Key: "other", UploadId }));
    expect(await refusal(asked)).toBe("404 NoSuchUpload");
  });

  test("take ranges of objects as parts, which outlive their source", async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: "source", Body: "0123456789" }));
    const UploadId = await create();
    const copy = async (PartNumber: number, CopySourceRange?: string): Promise<Part> => {
      const reply = await client.send(
        new UploadPartCopyCommand({
          Bucket,
          Key,
          UploadId,
          PartNumber,
          CopySource: `${Bucket}/source`,
          CopySourceRange,
        }),
      );
      return { PartNumber, ETag: reply.CopyPartResult?.ETag };
    };
    const parts = [
      await copy(1, "bytes=2-5"),
      await send(UploadId, 2, "NEW!"),
      await copy(3, "bytes=8-9"),
    ];
    expect(await refusal(copy(4, "bytes=8-10"))).toBe("416 InvalidRange");
    await client.send(new DeleteObjectCommand({ Bucket, Key: "source" }));
    expect(await refusal(copy(4))).toBe("404 NoSuchKey");
    await complete(UploadId, parts);
    expect(await get()).toBe("2345NEW!89");
  });

  test("end with their time, with all their parts", async () => {
    let nowMs = Date.UTC(2030, 0, 1);
    const clock = {
      now: () => nowMs,
      monotonic: () => 0,
      sleep: async () => {},
      after: () => () => {},
    };
    await using short = await startTestEmulator({ clock, uploadLifeMs: 1000 });
    // The SDK signs with the time of the machine.
    const skewed = clientOf(short.emulator, { systemClockOffset: nowMs - systemClock.now() });
    const { UploadId } = await skewed.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    nowMs += 999;
    expect(await short.emulator.uploads()).toHaveLength(1);
    nowMs += 1;
    expect(await short.emulator.uploads()).toEqual([]);
    const late = skewed.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: "x" }),
    );
    expect(await refusal(late)).toBe("404 NoSuchUpload");
    skewed.destroy();
  });
});
