// The second half of the contract: multipart uploads, from createUpload() to abort().

import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { toEtag, toKey, toPartNumber, toUploadId } from "../../src/model/mod.ts";
import type { HeldPart } from "../../src/store/mod.ts";
import { type Bench, hashOf, METADATA, rejection, type Sent } from "./bench.ts";

export function uploadTests(use: () => Bench): void {
  test("uploads become an object with their metadata when they are completed, and not before", async () => {
    const key = "upload/1";
    await use().put(key, "before");
    const [first, last] = [randomBytes(use().partSize), randomBytes(100)];
    const upload = await use().upload(key, METADATA);
    const parts = [
      await use().sendPart(key, upload, 1, first),
      await use().sendPart(key, upload, 2, last),
    ];
    expect(await use().read(key)).toBe("before");
    await use().complete(key, upload, parts);
    expect(await use().store.head(toKey(key))).toMatchObject({
      size: first.length + 100,
      metadata: METADATA,
    });
    const { bytes } = await use().store.get({ key: toKey(key) });
    expect(bytes.equals(Buffer.concat([first, last]))).toBe(true);
    const range = { offset: first.length - 10, length: 20 };
    const across = await use().store.get({ key: toKey(key), range });
    expect(across.bytes.equals(bytes.subarray(range.offset, range.offset + 20))).toBe(true);
  });

  test("several uploads of a key live side by side", async () => {
    const key = "upload/2";
    const [one, two] = [await use().upload(key, { n: "1" }), await use().upload(key, { n: "2" })];
    expect(one).not.toBe(two);
    const partOne = await use().sendPart(key, one, 1, Buffer.from("one"));
    await use().complete(key, two, [await use().sendPart(key, two, 1, Buffer.from("two"))]);
    await use().complete(key, one, [partOne]);
    expect(await use().read(key)).toBe("one");
    expect((await use().store.head(toKey(key)))?.metadata).toEqual({ n: "1" });
  });

  test("uploadPart() sends a file; a part sent again replaces the former", async () => {
    const key = "upload/3";
    const uploadId = await use().upload(key);
    await use().sendPart(key, uploadId, 1, Buffer.from("former"));
    const bytes = randomBytes(1_000_000);
    const body = await use().fileOf(bytes);
    const partNumber = toPartNumber(1);
    const { etag } = await use().store.uploadPart({
      key: toKey(key),
      uploadId,
      partNumber,
      body,
      sha256: hashOf(bytes),
    });
    expect(await use().parts(key, uploadId)).toEqual([{ partNumber: 1, size: 1_000_000, etag }]);
    await use().complete(key, uploadId, [{ partNumber, etag }]);
    expect((await use().store.get({ key: toKey(key) })).bytes.equals(bytes)).toBe(true);
  });

  test("uploadPart() of a body with another hash is BadDigest, and the former part stays", async () => {
    const key = "upload/4";
    const uploadId = await use().upload(key);
    const good = await use().sendPart(key, uploadId, 1, Buffer.from("good"));
    const body = { kind: "bytes", bytes: Buffer.from("bad!") } as const;
    const wrong = {
      key: toKey(key),
      uploadId,
      partNumber: toPartNumber(1),
      body,
      sha256: hashOf(Buffer.from("else")),
    };
    expect(await rejection(use().store.uploadPart(wrong))).toBe("BadDigest");
    expect(await use().parts(key, uploadId)).toEqual([{ ...good, size: 4 }]);
  });

  test("listParts() gives all parts, ascending, with the ETags that were given", async () => {
    const key = "upload/5";
    const uploadId = await use().upload(key);
    const sent: HeldPart[] = [];
    for (const number of [10_000, 1, 12, 9, 3, 2, 10])
      sent.push({
        ...(await use().sendPart(key, uploadId, number, Buffer.from(`${number}`))),
        size: `${number}`.length,
      });
    expect(await use().parts(key, uploadId)).toEqual(
      sent.toSorted((a, b) => a.partNumber - b.partNumber),
    );
    expect(await use().parts(key, await use().upload(key))).toEqual([]);
  });
}

export function copyPartTests(use: () => Bench): void {
  test("copyPart() takes ranges of an object among parts that are sent", async () => {
    const size = use().partSize;
    const source = randomBytes(2 * size);
    const { etag } = await use().put("copy-part/from", source);
    const key = "copy-part/to";
    const uploadId = await use().upload(key);
    const copy = async (number: number, offset: number, length: number): Promise<Sent> => {
      const partNumber = toPartNumber(number);
      const request = {
        key: toKey(key),
        uploadId,
        partNumber,
        from: toKey("copy-part/from"),
        etag,
        range: { offset, length },
      };
      return { partNumber, etag: (await use().store.copyPart(request)).etag };
    };
    const parts = [
      await copy(1, 7, size),
      await use().sendPart(key, uploadId, 2, source.subarray(0, size)),
      await copy(3, 2 * size - 5, 5),
    ];
    await use().complete(key, uploadId, parts);
    const expected = Buffer.concat([
      source.subarray(7, 7 + size),
      source.subarray(0, size),
      source.subarray(-5),
    ]);
    expect((await use().store.get({ key: toKey(key) })).bytes.equals(expected)).toBe(true);
  });

  test("copyPart() of an object into its own successor: the same content with other metadata", async () => {
    const size = use().partSize;
    const content = randomBytes(size + 10);
    const { etag } = await use().put("copy-part/self", content, { old: "yes" });
    const key = toKey("copy-part/self");
    const uploadId = await use().upload("copy-part/self", { x: "y" });
    const parts: Sent[] = [];
    for (const [index, length] of [size, 10].entries()) {
      const partNumber = toPartNumber(index + 1);
      const range = { offset: index * size, length };
      const request = { key, uploadId, partNumber, from: key, etag, range };
      parts.push({ partNumber, etag: (await use().store.copyPart(request)).etag });
    }
    await use().complete("copy-part/self", uploadId, parts);
    expect(await use().store.head(key)).toMatchObject({ metadata: { x: "y" } });
    expect((await use().store.get({ key })).bytes.equals(content)).toBe(true);
  });

  test("copyPart() says what is not there", async () => {
    const { etag } = await use().put("copy-part/some", "0123456789");
    const key = toKey("copy-part/x");
    const uploadId = await use().upload(key);
    const request = {
      key,
      uploadId,
      partNumber: toPartNumber(1),
      from: toKey("copy-part/some"),
      etag,
      range: { offset: 0, length: 10 },
    };
    expect(
      await rejection(use().store.copyPart({ ...request, from: toKey("copy-part/none") })),
    ).toBe("NotFound");
    expect(
      await rejection(use().store.copyPart({ ...request, uploadId: toUploadId("2~none") })),
    ).toBe("NoSuchUpload");
    const ignored = use().subject.profile.ignores.includes("copy-source-if-match");
    expect(await rejection(use().store.copyPart({ ...request, etag: toEtag('"other"') }))).toBe(
      ignored ? "accepted" : "PreconditionFailed",
    );
  });
}

export function completeTests(use: () => Bench): void {
  test("complete() allows gaps between part numbers", async () => {
    const key = "complete/gaps";
    const upload = await use().upload(key);
    const [first, last] = [randomBytes(use().partSize), randomBytes(10)];
    const parts = [
      await use().sendPart(key, upload, 2, first),
      await use().sendPart(key, upload, 9, last),
    ];
    await use().complete(key, upload, parts);
    const { bytes } = await use().store.get({ key: toKey(key) });
    expect(bytes.equals(Buffer.concat([first, last]))).toBe(true);
  });

  test("complete() leaves out parts that are not named, or refuses", async () => {
    const key = "complete/named";
    const upload = await use().upload(key);
    await use().sendPart(key, upload, 1, Buffer.from("left out"));
    const named = await use().sendPart(key, upload, 2, Buffer.from("named"));
    const code = await rejection(use().complete(key, upload, [named]));
    if (use().subject.quirks?.wantsEveryPart) {
      expect(code).toBe("BadPart");
      expect(await use().store.head(toKey(key))).toBeUndefined();
    } else {
      expect(code).toBe("accepted");
      expect(await use().read(key)).toBe("named");
    }
  });

  test("complete() with a part that is not held is BadPart, and the upload lives on", async () => {
    const key = "complete/bad";
    const upload = await use().upload(key);
    const part = await use().sendPart(key, upload, 1, Buffer.from("x"));
    const absent = { partNumber: toPartNumber(2), etag: part.etag };
    expect(await rejection(use().complete(key, upload, [part, absent]))).toBe("BadPart");
    const other = await use().sendPart(key, upload, 1, Buffer.from("y"));
    expect(await rejection(use().complete(key, upload, [part]))).toBe("BadPart");
    await use().complete(key, upload, [other]);
    expect(await use().read(key)).toBe("y");
  });

  test("complete() with a small part that is not the last is BadPart", async () => {
    const key = "complete/small";
    const upload = await use().upload(key);
    const parts = [
      await use().sendPart(key, upload, 1, Buffer.from("x")),
      await use().sendPart(key, upload, 2, Buffer.from("y")),
    ];
    expect(await rejection(use().complete(key, upload, parts))).toBe("BadPart");
    expect(await use().store.head(toKey(key))).toBeUndefined();
  });

  test("what is over is NoSuchUpload", async () => {
    const key = "complete/over";
    const upload = await use().upload(key);
    const part = await use().sendPart(key, upload, 1, Buffer.from("x"));
    await use().complete(key, upload, [part]);
    expect(await rejection(use().sendPart(key, upload, 1, Buffer.from("x")))).toBe("NoSuchUpload");
    expect(await rejection(use().parts(key, upload))).toBe("NoSuchUpload");
    // Some stores say that it has succeeded, most that there is no such upload; never anything else.
    expect(["NoSuchUpload", "accepted"]).toContain(
      await rejection(use().complete(key, upload, [part])),
    );
    expect(await use().read(key)).toBe("x");
  });

  test("abort() ends an upload, and is content with one that is not there", async () => {
    const key = "abort/1";
    const uploadId = await use().upload(key);
    const part = await use().sendPart(key, uploadId, 1, Buffer.from("x"));
    await use().store.abort({ key: toKey(key), uploadId });
    await use().store.abort({ key: toKey(key), uploadId });
    const fails = use().subject.quirks?.failsAfterAbort;
    expect(await rejection(use().complete(key, uploadId, [part]))).toBe(
      fails ? "Unavailable" : "NoSuchUpload",
    );
    expect(await rejection(use().sendPart(key, uploadId, 1, Buffer.from("x")))).toBe(
      "NoSuchUpload",
    );
    expect(await use().store.head(toKey(key))).toBeUndefined();
  });
}
