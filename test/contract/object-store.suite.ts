// The contract of `ObjectStore` as tests, in the order of src/store/object-store.ts. Give it a way to start a subject; every
// implementation and every wrapper runs it whole.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toEtag, toKey } from "../../src/model/mod.ts";
import type { StoreOptions } from "../../src/store/mod.ts";
import { tempDir } from "../support/temp.ts";
import { Bench, hashOf, METADATA, rejection, type Subject } from "./bench.ts";
import { completeTests, copyPartTests, uploadTests } from "./uploads.suite.ts";

/** Keys that have broken somebody's client or server. */
const ODD_KEYS = [
  "plain",
  "a b",
  " leading and trailing ",
  "a+b",
  "a%20b",
  "100%",
  "a//b",
  "a/./b/../c",
  "ends/",
  "&<>\"'",
  "&amp;",
  "名前/Ωmega/ключ",
  "e\u0301 and \u00e9",
  "\u{1f600}",
  "!*'();:@&=+$,?#[]",
  "~.-_",
  "line\nbreak\ttab",
  `${"k".repeat(250)}/${"é".repeat(125)}`,
];

/** Runs the contract over what `start` gives. */
export function objectStoreSuite(name: string, start: () => Promise<Subject>): void {
  describe(`ObjectStore contract: ${name}`, () => {
    let bench: Bench;
    const use = (): Bench => bench;
    beforeAll(async () => {
      const temp = await tempDir("contract");
      try {
        bench = new Bench(await start(), temp);
      } catch (error) {
        await temp[Symbol.asyncDispose]();
        throw error;
      }
    });
    afterAll(() => bench?.[Symbol.asyncDispose]());
    readTests(use);
    listTests(use);
    writeTests(use);
    copyTests(use);
    uploadTests(use);
    copyPartTests(use);
    completeTests(use);
    accessTests(use);
  });
}

function readTests(use: () => Bench): void {
  test("head() says what is there", async () => {
    const before = Math.floor(performance.timeOrigin + performance.now()) - 5000;
    const { etag } = await use().put("head/1", "12345", METADATA);
    const head = await use().store.head(toKey("head/1"));
    expect(head).toMatchObject({ etag, size: 5, metadata: METADATA });
    expect(head?.lastModifiedMs).toBeGreaterThan(before);
  });

  test("head() says undefined where nothing is", async () => {
    expect(await use().store.head(toKey("head/none"))).toBeUndefined();
  });

  test("get() gives all, a range, the last byte; and the ETag of the version", async () => {
    const { etag } = await use().put("get/1", "0123456789");
    const key = toKey("get/1");
    const { store } = use();
    expect(await store.get({ key })).toEqual({ bytes: Buffer.from("0123456789"), etag });
    const range = async (offset: number, length: number): Promise<string> =>
      (await store.get({ key, etag, range: { offset, length } })).bytes.toString();
    expect([await range(0, 10), await range(3, 4), await range(9, 1)]).toEqual([
      "0123456789",
      "3456",
      "9",
    ]);
  });

  test("get() gives an empty object", async () => {
    await use().put("get/empty", "");
    expect(await use().read("get/empty")).toBe("");
  });

  test("get() of a range past the end is Invalid", async () => {
    await use().put("get/short", "0123456789");
    const key = toKey("get/short");
    const range = (offset: number, length: number): Promise<string> =>
      rejection(use().store.get({ key, range: { offset, length } }));
    expect([await range(10, 1), await range(8, 3)]).toEqual(["Invalid", "Invalid"]);
  });

  test("get() of another version is PreconditionFailed", async () => {
    const { etag } = await use().put("get/v", "old");
    await use().put("get/v", "new");
    expect(await rejection(use().store.get({ key: toKey("get/v"), etag }))).toBe(
      "PreconditionFailed",
    );
  });

  test("read() gives the bytes of a range of one version", async () => {
    const { etag } = await use().put("read/1", "0123456789");
    const pieces: Buffer[] = [];
    await use().store.read(
      { key: toKey("read/1"), etag, range: { offset: 2, length: 5 } },
      (piece) => pieces.push(piece),
    );
    expect(Buffer.concat(pieces).toString()).toBe("23456");
  });

  test("read() of another version is PreconditionFailed, and gives nothing", async () => {
    const { etag } = await use().put("read/v", "old");
    await use().put("read/v", "new");
    const pieces: Buffer[] = [];
    const range = { offset: 0, length: 3 };
    const reading = use().store.read({ key: toKey("read/v"), etag, range }, (piece) =>
      pieces.push(piece),
    );
    expect([await rejection(reading), pieces]).toEqual(["PreconditionFailed", []]);
  });

  test("get() of what is not there is NotFound", async () => {
    expect(await rejection(use().read("get/none"))).toBe("NotFound");
  });
}

function listTests(use: () => Bench): void {
  test("list() gives keys by UTF-8 bytes with what is known of them", async () => {
    const keys = ["list/a/1", "list/\uff5e", "list/\u{1f600}"];
    for (const key of keys.toReversed()) await use().put(key, key);
    const { objects, prefixes, token } = await use().store.list({
      prefix: toKey("list/"),
      delimiter: false,
    });
    expect(objects.map(({ key }) => key)).toEqual(keys);
    expect([prefixes, token]).toEqual([[], undefined]);
    const head = await use().store.head(toKey("list/a/1"));
    expect(objects[0]).toMatchObject({
      etag: head?.etag,
      size: 8,
      lastModifiedMs: expect.any(Number),
    });
    expect(
      Math.abs((objects[0]?.lastModifiedMs ?? 0) - (head?.lastModifiedMs ?? 0)),
    ).toBeLessThanOrEqual(1000);
  });

  test("list() folds by the delimiter, over pages of any size", async () => {
    const keys = ["1", "2", "d/1", "d/2", "d/3", "d/e/4", "f", "g/", "h/1"].map(
      (key) => `fold/${key}`,
    );
    for (const key of keys) await use().put(key, "");
    for (const limit of [1, 2, 3, 1000]) {
      const folded = await use().list("fold/", true, limit);
      expect(folded).toMatchObject({
        keys: ["fold/1", "fold/2", "fold/f"],
        prefixes: ["fold/d/", "fold/g/", "fold/h/"],
      });
      const flat = await use().list("fold/", false, limit);
      expect(flat.keys).toEqual(keys);
      expect(flat.pageCount).toBeGreaterThanOrEqual(Math.ceil(keys.length / limit));
    }
  });

  test("list() gives the marker of a directory when asked for its content", async () => {
    await use().put("marker/", "");
    await use().put("marker/x", "");
    expect(await use().list("marker/", true)).toMatchObject({
      keys: ["marker/", "marker/x"],
      prefixes: [],
    });
  });

  test("list() of nothing is empty", async () => {
    expect(await use().list("none/", true)).toEqual({ keys: [], prefixes: [], pageCount: 1 });
  });

  test("keys are relative to the prefix of the store", async () => {
    const store = use().subject.open({ prefix: "pre fix+/" });
    await use().put("pre fix+/", "");
    await use().put("pre fix+/dir/a", "in it");
    await use().put("pre fix-/b", "beside it");
    expect(await use().read("dir/a", store)).toBe("in it");
    const top = await store.list({ prefix: toKey(""), delimiter: true });
    expect([top.objects, top.prefixes]).toEqual([[], ["dir/"]]);
    await store.copy({
      from: toKey("dir/a"),
      to: toKey("c"),
      etag: (await store.head(toKey("dir/a")))?.etag ?? toEtag(""),
    });
    expect(await use().read("pre fix+/c")).toBe("in it");
    store.close();
  });
}

function writeTests(use: () => Bench): void {
  test.each(ODD_KEYS)("the key %j is kept as it is", async (name) => {
    const { store } = use();
    const key = toKey(`odd/${name}`);
    const { etag } = await use().put(key, name);
    expect(await use().read(key)).toBe(name);
    expect(await store.head(key)).toMatchObject({ etag });
    const listed = await store.list({ prefix: key, delimiter: false });
    expect(listed.objects.map((object) => object.key)).toContain(key);
    const to = toKey(`odd-copy/${name}`);
    await store.copy({ from: key, to, etag });
    expect(await use().read(to)).toBe(name);
    const upload = await use().upload(to);
    await use().complete(to, upload, [
      await use().sendPart(to, upload, 1, Buffer.from(`parts of ${name}`)),
    ]);
    expect(await use().read(to)).toBe(`parts of ${name}`);
    for (const one of [key, to]) await store.delete(one);
    expect(await store.head(to)).toBeUndefined();
  });

  test("put() replaces content and metadata; the ETag changes with the content", async () => {
    const first = await use().put("put/1", "first", { a: "1" });
    const second = await use().put("put/1", "second", { b: "2" });
    expect(second.etag).not.toBe(first.etag);
    expect(await use().store.head(toKey("put/1"))).toMatchObject({
      etag: second.etag,
      size: 6,
      metadata: { b: "2" },
    });
  });

  test("put() sends a file, and only as much of it as it is told", async () => {
    const bytes = randomBytes(3 * 1024 * 1024);
    const body = await use().fileOf(bytes);
    const key = toKey("put/file");
    await use().store.put({ key, body, sha256: hashOf(bytes), metadata: {} });
    expect((await use().store.get({ key })).bytes.equals(bytes)).toBe(true);
    const some = bytes.subarray(0, 1000);
    await use().store.put({
      key,
      body: { kind: "file", path: body.kind === "file" ? body.path : "", size: 1000 },
      sha256: hashOf(some),
      metadata: {},
    });
    expect((await use().store.get({ key })).bytes.equals(some)).toBe(true);
  });

  test("put() of a body with another hash is BadDigest, and changes nothing", async () => {
    const key = toKey("put/bad");
    await use().put(key, "good");
    const wrong = {
      key,
      body: { kind: "bytes", bytes: Buffer.from("bad!") } as const,
      sha256: hashOf(Buffer.from("else")),
      metadata: {},
    };
    expect(await rejection(use().store.put(wrong))).toBe("BadDigest");
    expect(await use().read(key)).toBe("good");
  });

  test("delete() takes away, and is content with what is not there", async () => {
    await use().put("delete/1", "x");
    const key = toKey("delete/1");
    await use().store.delete(key);
    await use().store.delete(key);
    expect(await use().store.head(key)).toBeUndefined();
  });
}

function copyTests(use: () => Bench): void {
  test("copy() keeps the metadata, or replaces all of it", async () => {
    const { etag } = await use().put("copy/from", "content", METADATA);
    const [from, kept, replaced] = [toKey("copy/from"), toKey("copy/kept"), toKey("copy/replaced")];
    const { store } = use();
    const first = await store.copy({ from, to: kept, etag });
    const second = await store.copy({ from, to: replaced, etag, metadata: { x: "y" } });
    expect(await store.head(kept)).toMatchObject({ etag: first.etag, size: 7, metadata: METADATA });
    expect(await store.head(replaced)).toMatchObject({
      etag: second.etag,
      size: 7,
      metadata: { x: "y" },
    });
    expect(await use().read("copy/replaced")).toBe("content");
  });

  test("copy() onto itself changes the metadata", async () => {
    const { etag } = await use().put("copy/self", "content", METADATA);
    const key = toKey("copy/self");
    await use().store.copy({ from: key, to: key, etag, metadata: { x: "y" } });
    expect(await use().store.head(key)).toMatchObject({ size: 7, metadata: { x: "y" } });
    expect(await use().read(key)).toBe("content");
  });

  test("copy() onto itself that comes too late changes nothing where the store looks", async () => {
    const { etag } = await use().put("copy/late", "old", METADATA);
    await use().put("copy/late", "new", { newer: "yes" });
    const key = toKey("copy/late");
    const asked = use().store.copy({ from: key, to: key, etag, metadata: { x: "y" } });
    const ignored = use().subject.profile.ignores.includes("copy-source-if-match");
    expect(await rejection(asked)).toBe(ignored ? "accepted" : "PreconditionFailed");
    expect(await use().read(key)).toBe("new");
    const metadata = ignored ? { x: "y" } : { newer: "yes" };
    expect(await use().store.head(key)).toMatchObject({ metadata });
  });

  test("copy() of what is not there is NotFound", async () => {
    const asked = use().store.copy({
      from: toKey("copy/none"),
      to: toKey("copy/x"),
      etag: toEtag('"x"'),
    });
    expect(await rejection(asked)).toBe("NotFound");
  });

  test("copy() of another version is PreconditionFailed where the store looks", async () => {
    const { etag } = await use().put("copy/v", "old");
    await use().put("copy/v", "new");
    const asked = use().store.copy({ from: toKey("copy/v"), to: toKey("copy/v2"), etag });
    const ignored = use().subject.profile.ignores.includes("copy-source-if-match");
    expect(await rejection(asked)).toBe(ignored ? "accepted" : "PreconditionFailed");
  });
}

function accessTests(use: () => Bench): void {
  async function asked(change: Partial<StoreOptions>): Promise<string> {
    const store = use().subject.open(change);
    const code = await rejection(store.list({ prefix: toKey(""), delimiter: true }));
    store.close();
    return code;
  }

  test("a wrong key is BadCredentials, and is not in the message", async () => {
    const credentials = {
      kind: "static",
      accessKeyId: "nobody",
      secretAccessKey: "nothing-at-all",
    } as const;
    expect(await asked({ credentials })).toBe("BadCredentials");
    const store = use().subject.open({ credentials });
    await expect(store.list({ prefix: toKey(""), delimiter: true })).rejects.toThrow(
      /^(?!.*nothing-at-all)/,
    );
    store.close();
  });

  test("a bucket that is not there is NoSuchBucket", async () => {
    expect(await asked({ bucket: "not-there" })).toBe("NoSuchBucket");
  });

  test("an aborted signal is Interrupted, before and during a request", async () => {
    const key = toKey("signal");
    expect(await rejection(use().store.head(key, AbortSignal.abort()))).toBe("Interrupted");
    const abort = new AbortController();
    const bytes = randomBytes(1024 * 1024);
    const request = {
      key,
      body: { kind: "bytes", bytes } as const,
      sha256: hashOf(bytes),
      metadata: {},
    };
    const code = rejection(use().store.put(request, abort.signal));
    abort.abort();
    expect(await code).toBe("Interrupted");
    await use().put(key, "usable after that");
  });
}
