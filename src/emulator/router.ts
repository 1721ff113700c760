// Which handler serves which operation.

import { restoreObject } from "./archive.ts";
import {
  createBucket,
  deleteObjects,
  headBucket,
  listBuckets,
  listObjects,
} from "./bucket-operations.ts";
import type { Call } from "./call.ts";
import { copyObject, deleteObject, getObject, headObject, putObject } from "./object-operations.ts";
import { Refusal } from "./refusal.ts";
import type { Reply } from "./reply.ts";
import type { OperationKind } from "./target.ts";
import {
  abortUpload,
  completeUpload,
  copyPart,
  createUpload,
  listParts,
  uploadPart,
} from "./upload-operations.ts";

type Handler = (call: Call) => Promise<Reply>;

const HANDLERS: Readonly<Record<OperationKind, Handler>> = {
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  HeadBucket: headBucket,
  ListObjectsV2: listObjects,
  // Not in Kodo's table of supported requests.
  ListMultipartUploads: notImplemented,
  DeleteObjects: deleteObjects,
  PutObject: putObject,
  CopyObject: copyObject,
  GetObject: getObject,
  HeadObject: headObject,
  DeleteObject: deleteObject,
  RestoreObject: restoreObject,
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  UploadPartCopy: copyPart,
  ListParts: listParts,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: abortUpload,
  Other: notImplemented,
};

/** Does what was asked. @throws `Refusal`. */
export function dispatch(call: Call): Promise<Reply> {
  return HANDLERS[call.target.kind](call);
}

async function notImplemented(): Promise<Reply> {
  throw new Refusal("NotImplemented", "This server does not support the request");
}
