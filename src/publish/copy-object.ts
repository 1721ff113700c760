// A server-side copy with other metadata, in one request or, of what is larger than one takes, by parts.

import { KodomountError } from "../base/mod.ts";
import {
  type Etag,
  type Key,
  META_SAVE,
  type PartNumber,
  partsOf,
  type UploadId,
} from "../model/mod.ts";
import type { ObjectHead } from "../store/mod.ts";
import type { Engine } from "./engine.ts";

export interface ObjectCopy {
  readonly from: Key;
  readonly to: Key;
  /** What is at `from`. */
  readonly source: ObjectHead;
  /** All of the copy's metadata, with a token of its own. */
  readonly metadata: Record<string, string>;
  /** undefined: the bucket's usual one. */
  readonly storageClass?: string | undefined;
}

/** @throws `PreconditionFailed` when something else is at `from` by now, `NotFound`. */
export async function copyObject(engine: Engine, copy: ObjectCopy): Promise<Etag> {
  const { from, to, source, metadata, storageClass } = copy;
  const { store, stop, copySizeMax } = engine;
  if (source.size > copySizeMax) return copyByParts(engine, copy);
  return (await store.copy({ from, to, etag: source.etag, metadata, storageClass }, stop)).etag;
}

/** What a crash or a failure leaves is aborted, and the copy is made anew. */
async function copyByParts(engine: Engine, copy: ObjectCopy): Promise<Etag> {
  const { store, stop, catalog, aborts } = engine;
  const { from, to: key, source, metadata, storageClass } = copy;
  const { uploadId } = await store.createUpload({ key, metadata, storageClass }, stop);
  await catalog.apply([{ put: "abort", key, uploadId }], { sync: false });
  try {
    const parts = await copyParts(engine, copy, uploadId);
    // Hours may have passed, and some stores ignore the condition of a copy.
    if ((await store.head(from, stop))?.etag !== source.etag)
      throw new KodomountError("PreconditionFailed", `${from} was changed while it was copied`);
    await store.complete({ key, uploadId, parts }, stop);
  } catch (error) {
    aborts.add(key, uploadId);
    throw error;
  }
  const head = await store.head(key, stop);
  if (head === undefined || head.metadata[META_SAVE] !== metadata[META_SAVE])
    throw new KodomountError("Unavailable", `The copy of ${from} to ${key} is not visible yet`);
  await catalog.apply([{ del: "abort", uploadId }], { sync: false });
  return head.etag;
}

async function copyParts(
  { store, stop, copySizeMax }: Engine,
  { from, to: key, source }: ObjectCopy,
  uploadId: UploadId,
): Promise<{ partNumber: PartNumber; etag: Etag }[]> {
  const plan = { tiers: [{ count: 10_000, size: copySizeMax }] };
  const parts: { partNumber: PartNumber; etag: Etag }[] = [];
  for (const { partNumber, offset, size } of partsOf(plan, source.size)) {
    const range = { offset, length: size };
    const request = { key, uploadId, partNumber, from, etag: source.etag, range };
    parts.push({ partNumber, etag: (await store.copyPart(request, stop)).etag });
  }
  return parts;
}
