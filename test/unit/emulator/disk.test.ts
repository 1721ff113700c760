// What the emulator keeps over its own end, and over SIGKILL of its process; and that it leaves nothing behind.

import { fork } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { describe, expect, test } from "vitest";
import { startTestEmulator, type TestEmulator } from "../../support/emulator.ts";
import { clientOf } from "./client.ts";

const Bucket = "bucket";
const LIMITS = { limits: { partSizeMin: 1 } };

async function blobs(server: TestEmulator): Promise<number> {
  return (await fs.readdir(path.join(server.dir, "blobs"))).length;
}

async function text(client: S3Client, Key: string): Promise<string | undefined> {
  return (await client.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();
}

describe("emulator: disk", () => {
  test("objects and uploads survive a restart", async () => {
    await using server = await startTestEmulator(LIMITS);
    const client = clientOf(server.emulator);
    const Key = "名/&<>\"' ";
    await client.send(new PutObjectCommand({ Bucket, Key, Body: "kept", Metadata: { a: "b" } }));
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: "up" }));
    const part = async (
      PartNumber: number,
    ): Promise<{ PartNumber: number; ETag: string | undefined }> => {
      const Body = `part ${PartNumber};`;
      const { ETag } = await client.send(
        new UploadPartCommand({ Bucket, Key: "up", UploadId, PartNumber, Body }),
      );
      return { PartNumber, ETag };
    };
    const first = await part(1);
    const [objects, uploads] = [server.emulator.objects(Bucket), await server.emulator.uploads()];
    await server.restart();
    expect(server.emulator.objects(Bucket)).toEqual(objects);
    expect(await server.emulator.uploads()).toEqual(uploads);
    const MultipartUpload = { Parts: [first, await part(2)] };
    await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key: "up", UploadId, MultipartUpload }),
    );
    await server.restart();
    expect([await text(client, Key), await text(client, "up")]).toEqual(["kept", "part 1;part 2;"]);
    expect(await server.emulator.uploads()).toEqual([]);
    client.destroy();
  });

  test("bytes that nobody refers to are deleted, shared ones are kept", async () => {
    await using server = await startTestEmulator(LIMITS);
    const client = clientOf(server.emulator);
    await client.send(new PutObjectCommand({ Bucket, Key: "a", Body: "shared" }));
    await client.send(new CopyObjectCommand({ Bucket, Key: "b", CopySource: `${Bucket}/a` }));
    await client.send(new CopyObjectCommand({ Bucket, Key: "b", CopySource: `${Bucket}/b` }));
    await client.send(new PutObjectCommand({ Bucket, Key: "a", Body: "new" }));
    expect(await blobs(server)).toBe(2);
    await server.restart();
    expect(await text(client, "b")).toBe("shared");
    for (const Key of ["a", "b"]) await client.send(new DeleteObjectCommand({ Bucket, Key }));
    expect(await blobs(server)).toBe(0);
    client.destroy();
  });

  test("a reader gets the version it began with", async () => {
    await using server = await startTestEmulator(LIMITS);
    const client = clientOf(server.emulator);
    const old = Buffer.alloc(16 * 1024 * 1024, "old ");
    await client.send(new PutObjectCommand({ Bucket, Key: "k", Body: old }));
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: "k" }));
    await client.send(new PutObjectCommand({ Bucket, Key: "k", Body: "new" }));
    expect(old.equals((await Body?.transformToByteArray()) ?? Buffer.alloc(0))).toBe(true);
    expect(await text(client, "k")).toBe("new");
    client.destroy();
  });

  test("a killed server leaves whole objects, and nothing of what was coming in", async () => {
    await using server = await startTestEmulator(LIMITS);
    await server.emulator.stop();
    const child = fork(path.join(import.meta.dirname, "child.ts"), [server.dir], {
      execArgv: ["--import", "tsx"],
    });
    try {
      const [endpoint] = (await once(child, "message")) as [string];
      const client = clientOf(server.emulator, { endpoint });
      await client.send(new PutObjectCommand({ Bucket, Key: "whole", Body: "whole" }));
      // The server stops reading there, so the body is half in when it is killed.
      const order = { kind: "PutObject", fault: { kind: "stall", afterBytes: 1024 * 1024 } };
      const headers = { "content-type": "application/json" };
      await fetch(`${endpoint}/-/orders`, { method: "POST", headers, body: JSON.stringify(order) });
      const half = client.send(
        new PutObjectCommand({ Bucket, Key: "half", Body: Buffer.alloc(32 * 1024 * 1024) }),
      );
      const failed = half.then(
        () => false,
        () => true,
      );
      while ((await blobs(server)) < 2) await setImmediate();
      child.kill("SIGKILL");
      expect(await failed).toBe(true);
      client.destroy();
    } finally {
      child.kill("SIGKILL");
    }
    await server.restart();
    expect(server.emulator.objects(Bucket).map(({ key }) => key)).toEqual(["whole"]);
    expect(await blobs(server)).toBe(1);
  });
});
