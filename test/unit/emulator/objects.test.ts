// Objects and listings of the emulator, by the SDK as it is.

import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  RestoreObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestEmulator, type TestEmulator } from "../../support/emulator.ts";
import { clientOf, refusal } from "./client.ts";

const KEYS = [
  "a b",
  "a+b",
  "a%20b",
  "a//b",
  "dir/",
  "../up/./x",
  "&<>\"'",
  "名前/ключ",
  "😀 \u{ffff}",
  "tab\tcr\rlf\n.",
  "*!()'~",
  "k".repeat(1024),
];

let server: TestEmulator;
let client: S3Client;
const Bucket = "bucket";

beforeAll(async () => {
  server = await startTestEmulator({
    limits: { pageSizeMax: 4, copySizeMax: 100, restoreMs: 300 },
  });
  client = clientOf(server.emulator);
});
afterAll(async () => {
  client.destroy();
  await server[Symbol.asyncDispose]();
});

async function put(Key: string, Body = `body of ${Key}`): Promise<string | undefined> {
  return (await client.send(new PutObjectCommand({ Bucket, Key, Body }))).ETag;
}

async function get(Key: string, Range?: string): Promise<string> {
  const reply = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
  return (await reply.Body?.transformToString()) ?? "";
}

interface Pages {
  readonly keys: string[];
  readonly prefixes: string[];
  readonly pageCount: number;
}

async function list(Prefix: string, Delimiter?: string): Promise<Pages> {
  const [keys, prefixes]: string[][] = [[], []];
  let token: string | undefined;
  let pageCount = 0;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket, Prefix, Delimiter, ContinuationToken: token }),
    );
    keys?.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ""));
    prefixes?.push(...(page.CommonPrefixes ?? []).map((common) => common.Prefix ?? ""));
    token = page.NextContinuationToken;
    pageCount += 1;
    expect(page.IsTruncated).toBe(token !== undefined);
  } while (token !== undefined);
  return { keys: keys ?? [], prefixes: prefixes ?? [], pageCount };
}

describe("emulator: one object", () => {
  test.each(KEYS)("keeps the object %j", async (key) => {
    const etag = await put(key);
    expect(await get(key)).toBe(`body of ${key}`);
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: key }));
    expect(head.ETag).toBe(etag);
    expect(server.emulator.objects(Bucket).map((object) => object.key)).toContain(key);
    await client.send(new DeleteObjectCommand({ Bucket, Key: key }));
    expect(await refusal(get(key))).toBe("404 NoSuchKey");
  });

  test("refuses a key of more than 1,024 bytes", async () => {
    expect(await refusal(put("k".repeat(1025)))).toBe("400 KeyTooLongError");
  });

  test("keeps metadata with lower-case names, type and class; an ETag is no MD5", async () => {
    const Metadata = { Mode: "420", "kodomount-save": "0123" };
    const { ETag } = await client.send(
      new PutObjectCommand({
        Bucket,
        Key: "m",
        Body: "x",
        Metadata,
        ContentType: "text/x",
        StorageClass: "LINE" as never,
      }),
    );
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: "m" }));
    expect(head).toMatchObject({
      ContentLength: 1,
      ContentType: "text/x",
      StorageClass: "LINE",
      Metadata: { mode: "420", "kodomount-save": "0123" },
    });
    expect(ETag).not.toMatch(/^"[0-9a-f]{32}"$/);
    expect(
      await refusal(
        client.send(
          new PutObjectCommand({ Bucket, Key: "m", Body: "x", StorageClass: "STANDARD_IA" }),
        ),
      ),
    ).toBe("400 InvalidStorageClass");
  });

  test("keeps an empty object, and overwrites it", async () => {
    await put("empty", "");
    expect(await get("empty")).toBe("");
    await put("empty", "no more");
    expect(await get("empty")).toBe("no more");
  });

  test("ignores conditions, as Kodo does", async () => {
    await put("c", "first");
    await client.send(new PutObjectCommand({ Bucket, Key: "c", Body: "second", IfNoneMatch: "*" }));
    await client.send(new PutObjectCommand({ Bucket, Key: "c", Body: "third", IfMatch: '"x"' }));
    const reply = await client.send(new GetObjectCommand({ Bucket, Key: "c", IfMatch: '"x"' }));
    expect(await reply.Body?.transformToString()).toBe("third");
  });

  test.each([
    ["bytes=0-3", "0123", "bytes 0-3/10"],
    ["bytes=8-99", "89", "bytes 8-9/10"],
    ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=-2", "89", "bytes 8-9/10"],
  ])("answers %s", async (Range, body, contentRange) => {
    await put("r", "0123456789");
    const reply = await client.send(new GetObjectCommand({ Bucket, Key: "r", Range }));
    expect(reply.$metadata.httpStatusCode).toBe(206);
    expect(reply.ContentRange).toBe(contentRange);
    expect(reply.ContentLength).toBe(body.length);
    expect(await reply.Body?.transformToString()).toBe(body);
  });

  test("refuses a range behind the end", async () => {
    await put("r", "0123456789");
    expect(await refusal(get("r", "bytes=10-"))).toBe("416 InvalidRange");
  });

  test("deletes what is not there, and many at once", async () => {
    await client.send(new DeleteObjectCommand({ Bucket, Key: "never" }));
    await put("d/1 &");
    await put("d/2");
    const Objects = ["d/1 &", "d/2", "d/3"].map((Key) => ({ Key }));
    const reply = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(reply.Deleted?.map(({ Key }) => Key)).toEqual(["d/1 &", "d/2", "d/3"]);
    expect((await list("d/")).keys).toEqual([]);
  });

  test("copies with and without metadata of its own; the source may go", async () => {
    const Key = "from +名";
    const CopySource = encodeURIComponent(`${Bucket}/${Key}`);
    await client.send(new PutObjectCommand({ Bucket, Key, Body: "copied", Metadata: { a: "1" } }));
    await client.send(
      new CopyObjectCommand({ Bucket, Key: "to1", CopySource, Metadata: { b: "2" } }),
    );
    await client.send(
      new CopyObjectCommand({
        Bucket,
        Key: "to2",
        CopySource,
        Metadata: { b: "2" },
        MetadataDirective: "REPLACE",
      }),
    );
    await client.send(new DeleteObjectCommand({ Bucket, Key }));
    expect([await get("to1"), await get("to2")]).toEqual(["copied", "copied"]);
    const metadata = async (key: string): Promise<unknown> =>
      (await client.send(new HeadObjectCommand({ Bucket, Key: key }))).Metadata;
    expect([await metadata("to1"), await metadata("to2")]).toEqual([{ a: "1" }, { b: "2" }]);
    expect(
      await refusal(client.send(new CopyObjectCommand({ Bucket, Key: "to3", CopySource }))),
    ).toBe("404 NoSuchKey");
  });

  test("refuses to copy a large object at once", async () => {
    await put("large", "x".repeat(101));
    expect(
      await refusal(
        client.send(new CopyObjectCommand({ Bucket, Key: "l2", CopySource: `${Bucket}/large` })),
      ),
    ).toBe("400 CopyObjectTooLarge");
  });
});

describe("emulator: listings and buckets", () => {
  test("lists keys by UTF-8 bytes over pages, as they are", async () => {
    const keys = KEYS.slice(0, -1).map((key) => `list/${key}`);
    for (const key of keys) await put(key);
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const pages = await list("list/");
    expect(pages.keys).toEqual(sorted);
    expect(pages.pageCount).toBe(Math.ceil(keys.length / 4));
  });

  test("sorts a key above U+FFFF behind one below it", async () => {
    await put("utf/\u{1f600}");
    await put("utf/\uff5e");
    expect((await list("utf/")).keys).toEqual(["utf/\uff5e", "utf/\u{1f600}"]);
  });

  test("folds by delimiter; a prefix may come again on the next page", async () => {
    for (const key of ["1", "2", "d/1", "d/2", "d/3", "e/1/2", "f"]) await put(`fold/${key}`);
    const pages = await list("fold/", "/");
    expect(pages.keys).toEqual(["fold/1", "fold/2", "fold/f"]);
    expect([...new Set(pages.prefixes)]).toEqual(["fold/d/", "fold/e/"]);
  });

  test("knows its buckets", async () => {
    await client.send(new HeadBucketCommand({ Bucket }));
    await client.send(new CreateBucketCommand({ Bucket: "second" }));
    const { Buckets } = await client.send(new ListBucketsCommand());
    expect(Buckets?.map(({ Name }) => Name)).toEqual(["bucket", "second"]);
    expect(await refusal(client.send(new CreateBucketCommand({ Bucket: "second" })))).toBe(
      "409 BucketAlreadyOwnedByYou",
    );
    expect(await refusal(client.send(new HeadBucketCommand({ Bucket: "third" })))).toBe(
      "404 NotFound",
    );
    expect(await refusal(client.send(new PutObjectCommand({ Bucket: "third", Key: "x" })))).toBe(
      "404 NoSuchBucket",
    );
  });

  test("does not list uploads, as Kodo", async () => {
    expect(await refusal(client.send(new ListMultipartUploadsCommand({ Bucket })))).toBe(
      "501 NotImplemented",
    );
  });
});

describe("emulator: archives", () => {
  const Key = "archived";
  const restore = (Days = 1): Promise<string> =>
    refusal(client.send(new RestoreObjectCommand({ Bucket, Key, RestoreRequest: { Days } })));
  const get = (): Promise<string> => refusal(client.send(new GetObjectCommand({ Bucket, Key })));

  test("what is archived is not read or copied before it was restored", async () => {
    const StorageClass = "GLACIER";
    await client.send(new PutObjectCommand({ Bucket, Key, Body: "x", StorageClass }));
    const copy = new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/${Key}` });
    expect(await get()).toBe("403 InvalidObjectState");
    expect(await refusal(client.send(copy))).toBe("403 InvalidObjectState");
    expect(await restore(0)).toBe("400 InvalidArgument");
    expect(await restore()).toBe("accepted");
    expect(await restore()).toBe("409 RestoreAlreadyInProgress");
    const head = () => client.send(new HeadObjectCommand({ Bucket, Key }));
    expect((await head()).Restore).toBe('ongoing-request="true"');
    await expect.poll(async () => (await head()).Restore).toMatch(/^ongoing-request="false", exp/);
    expect([await get(), await restore(), await refusal(client.send(copy))]).toEqual([
      "accepted",
      "accepted",
      "accepted",
    ]);
  });

  test("what is not archived is not restored", async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: "plain", Body: "x" }));
    const asked = new RestoreObjectCommand({ Bucket, Key: "plain", RestoreRequest: { Days: 1 } });
    expect(await refusal(client.send(asked))).toBe("403 InvalidObjectState");
  });
});
