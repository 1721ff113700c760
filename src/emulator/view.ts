// What tests and the demo may see of the server's content.

import type { Bucket } from "./bucket.ts";
import type { ObjectRecord } from "./objects.ts";
import type { Upload } from "./uploads.ts";

export interface ObjectView {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly storageClass: string;
}

export interface UploadView {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly createdMs: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Ascending. */
  readonly parts: readonly { partNumber: number; size: number; etag: string }[];
}

/** The objects of a bucket in the order of their keys. */
export function viewObjects(bucket: Bucket): ObjectView[] {
  return [...bucket.objects].map(viewObject);
}

/** The unfinished uploads of some buckets, oldest first. */
export async function viewUploads(
  buckets: readonly Bucket[],
  nowMs: number,
): Promise<UploadView[]> {
  const lists = await Promise.all(
    buckets.map(async (bucket) =>
      (await bucket.uploads.list(nowMs)).map((upload) => viewUpload(bucket.name, upload)),
    ),
  );
  return lists.flat();
}

function viewObject(record: ObjectRecord): ObjectView {
  const { key, size, etag, lastModifiedMs, metadata, storageClass } = record;
  return { key, size, etag, lastModifiedMs, metadata, storageClass };
}

function viewUpload(bucket: string, upload: Upload): UploadView {
  const { key, uploadId, createdMs, metadata, parts } = upload;
  const ascending = [...parts.values()].toSorted((a, b) => a.partNumber - b.partNumber);
  return {
    ...{ bucket, key, uploadId, createdMs, metadata },
    parts: ascending.map(({ partNumber, size, etag }) => ({ partNumber, size, etag })),
  };
}
