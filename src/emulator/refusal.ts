// What the server answers instead of doing what was asked: S3's error codes and the status each one comes with.

import { KodomountError } from "../base/mod.ts";

/** S3's own codes, as Kodo sends them, with their HTTP status. */
const STATUS = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  CopyObjectTooLarge: 400,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IncorrectRegion: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidDigest: 400,
  InvalidObjectState: 403,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidStorageClass: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  MissingSecurityHeader: 400,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  NotSupportAnonymous: 400,
  RequestTimeTooSkewed: 403,
  RestoreAlreadyInProgress: 409,
  SignatureDoesNotMatch: 403,
  XAmzContentSHA256Mismatch: 400,
} as const;

export type RefusalCode = keyof typeof STATUS;

/** Thrown by whoever finds that a request cannot be served; becomes an error reply. */
export class Refusal extends KodomountError {
  readonly status: number;
  readonly s3Code: RefusalCode;
  /** Sent with the reply. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    s3Code: RefusalCode,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super("Rejected", message);
    this.status = STATUS[s3Code];
    this.s3Code = s3Code;
    this.headers = headers;
  }
}
