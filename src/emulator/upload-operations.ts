// Requests for multipart uploads.

import { cut, type Slice } from "./blobs.ts";
import type { Bucket } from "./bucket.ts";
import {
  assertKey,
  type Call,
  type Limits,
  numberOf,
  propertiesOf,
  receiveBlob,
  receiveText,
} from "./call.ts";
import { copySourceOf } from "./copy-source.ts";
import { etagOfBody, etagOfCopy, etagOfParts, sameEtag } from "./etag.ts";
import { Refusal } from "./refusal.ts";
import { isoTime, type Reply, xmlReply } from "./reply.ts";
import type { PartRecord, Upload } from "./uploads.ts";
import { listOf, readXml, textOf } from "./xml.ts";

const PART_COUNT_MAX = 10_000;

export async function createUpload(call: Call): Promise<Reply> {
  const { disk, target, clock } = call;
  assertKey(target.key);
  const { uploads } = disk.bucket(target.bucket);
  const uploadId = await uploads.create(target.key, propertiesOf(call.headers), clock.now());
  return xmlReply("InitiateMultipartUploadResult", {
    Bucket: target.bucket,
    Key: target.key,
    UploadId: uploadId,
  });
}

export async function uploadPart(call: Call): Promise<Reply> {
  const partNumber = partNumberOf(call);
  await uploadOf(call);
  const { slices, sha256 } = await receiveBlob(call);
  const etag = etagOfBody(sha256);
  await putPart(call, { partNumber, etag, slices });
  return { status: 200, headers: { ETag: etag } };
}

export async function copyPart(call: Call): Promise<Reply> {
  const partNumber = partNumberOf(call);
  await uploadOf(call);
  const source = copySourceOf(call);
  const { offset, length } = copyRange(call, source.size);
  const slices = cut(source.slices, offset, length);
  call.disk.blobs.retain(slices);
  const etag = etagOfCopy(etagOfParts([source.etag, `${offset}+${length}`]));
  await putPart(call, { partNumber, etag, slices });
  return xmlReply("CopyPartResult", { LastModified: isoTime(call.clock.now()), ETag: etag });
}

export async function listParts(call: Call): Promise<Reply> {
  const upload = await uploadOf(call);
  const most = Number.MAX_SAFE_INTEGER;
  const marker = numberOf(call, "part-number-marker", { min: 0, max: most, absent: 0 });
  const asked = numberOf(call, "max-parts", { min: 1, max: most, absent: 1000 });
  const max = Math.min(asked, call.limits.pageSizeMax);
  const later = ascending(upload).filter(({ partNumber }) => partNumber > marker);
  const page = later.slice(0, max);
  return xmlReply("ListPartsResult", {
    Bucket: call.target.bucket,
    Key: upload.key,
    UploadId: upload.uploadId,
    StorageClass: upload.storageClass,
    PartNumberMarker: marker,
    // 0 on the last page: Kodo's documented end.
    NextPartNumberMarker: later.length > max ? (page.at(-1)?.partNumber ?? 0) : 0,
    MaxParts: max,
    IsTruncated: later.length > max,
    Part: page.map(({ partNumber, lastModifiedMs, etag, size }) => ({
      PartNumber: partNumber,
      LastModified: isoTime(lastModifiedMs),
      ETag: etag,
      Size: size,
    })),
  });
}

export async function completeUpload(call: Call): Promise<Reply> {
  const { target, disk, limits, clock } = call;
  const content = readXml("CompleteMultipartUpload", await receiveText(call));
  const named = listOf(content, "Part").map((part) => ({
    partNumber: Number(textOf(part, "PartNumber")),
    etag: textOf(part, "ETag"),
  }));
  const bucket = disk.bucket(target.bucket);
  const etag = await bucket.change(async () => {
    const upload = await uploadOf(call);
    const parts = choose(upload, named, limits);
    return becomeObject({ call, bucket, upload, parts, lastModifiedMs: clock.now() });
  });
  return xmlReply("CompleteMultipartUploadResult", {
    Location: `/${target.bucket}/${target.key}`,
    Bucket: target.bucket,
    Key: target.key,
    ETag: etag,
  });
}

export async function abortUpload(call: Call): Promise<Reply> {
  const bucket = call.disk.bucket(call.target.bucket);
  await bucket.change(async () => bucket.uploads.drop((await uploadOf(call)).uploadId));
  return { status: 204 };
}

async function becomeObject(made: {
  call: Call;
  bucket: Bucket;
  upload: Upload;
  parts: readonly PartRecord[];
  lastModifiedMs: number;
}): Promise<string> {
  const { call, bucket, upload, parts, lastModifiedMs } = made;
  const { key, uploadId, metadata, contentType, storageClass } = upload;
  const slices = parts.flatMap((part) => part.slices);
  const etag = etagOfParts(parts.map((part) => part.etag));
  call.disk.blobs.retain(slices);
  await bucket.objects.put({
    ...{ key, etag, slices, lastModifiedMs, metadata, contentType, storageClass },
    fromUpload: uploadId,
  });
  await bucket.uploads.drop(uploadId);
  return etag;
}

/** The parts that were named. @throws `MalformedXML`, `InvalidPartOrder`, `InvalidPart`, `EntityTooSmall`, `EntityTooLarge`. */
function choose(
  upload: Upload,
  named: readonly { partNumber: number; etag: string }[],
  limits: Limits,
): PartRecord[] {
  if (named.length === 0 || named.length > PART_COUNT_MAX)
    throw new Refusal("MalformedXML", `From 1 to ${PART_COUNT_MAX} parts must be named`);
  return named.map(({ partNumber, etag }, index) => {
    // Gaps are allowed.
    if (partNumber <= (named[index - 1]?.partNumber ?? 0))
      throw new Refusal("InvalidPartOrder", "Part numbers must ascend");
    const part = upload.parts.get(partNumber);
    if (part === undefined || !sameEtag(part.etag, etag))
      throw new Refusal("InvalidPart", `Part ${partNumber} was not uploaded with that ETag`);
    if (part.size < limits.partSizeMin && index < named.length - 1)
      throw new Refusal(
        "EntityTooSmall",
        `Part ${partNumber} must have at least ${limits.partSizeMin} bytes`,
      );
    if (part.size > limits.partSizeMax)
      throw new Refusal(
        "EntityTooLarge",
        `Part ${partNumber} can have at most ${limits.partSizeMax} bytes`,
      );
    return part;
  });
}

/** @throws `NoSuchUpload`, also for one that has outlived its time. */
function uploadOf({ disk, target, clock }: Call): Promise<Upload> {
  const { uploads } = disk.bucket(target.bucket);
  return uploads.get(target.key, target.query.get("uploadId") ?? "", clock.now());
}

/** Takes over the references to the slices. */
async function putPart(
  call: Call,
  part: { partNumber: number; etag: string; slices: readonly Slice[] },
): Promise<void> {
  const { disk, target, clock } = call;
  const bucket = disk.bucket(target.bucket);
  try {
    await bucket.change(async () => {
      // It may have been completed or aborted while the body came in.
      const { uploadId, key } = await uploadOf(call);
      const size = part.slices.reduce((sum, slice) => sum + slice.size, 0);
      await bucket.uploads.putPart(key, uploadId, { ...part, size, lastModifiedMs: clock.now() });
    });
  } catch (error) {
    await disk.blobs.release(part.slices);
    throw error;
  }
}

function copyRange(call: Call, size: number): { offset: number; length: number } {
  const header = call.headers["x-amz-copy-source-range"];
  if (header === undefined) return { offset: 0, length: size };
  const match = /^bytes=(\d+)-(\d+)$/.exec(String(header));
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || first > last)
    throw new Refusal(
      "InvalidArgument",
      "x-amz-copy-source-range must be of the form bytes=first-last",
    );
  if (last >= size)
    throw new Refusal("InvalidRange", `The range reaches behind the end of the source, ${size}`);
  return { offset: first, length: last - first + 1 };
}

function partNumberOf(call: Call): number {
  return numberOf(call, "partNumber", { min: 1, max: PART_COUNT_MAX });
}

function ascending(upload: Upload): PartRecord[] {
  return [...upload.parts.values()].toSorted((a, b) => a.partNumber - b.partNumber);
}
