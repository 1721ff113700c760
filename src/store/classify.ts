// Sorts what a server or a network says into our codes: the one table of S3's error codes.

import { type Code, describe, errnoOf, KodomountError } from "../base/mod.ts";

const BY_CODE: Readonly<Record<string, Code>> = {
  NoSuchKey: "NotFound",
  NotFound: "NotFound",
  NoSuchUpload: "NoSuchUpload",
  NoSuchBucket: "NoSuchBucket",
  PreconditionFailed: "PreconditionFailed",
  AccessDenied: "AccessDenied",
  AllAccessDisabled: "AccessDenied",
  AccountProblem: "AccessDenied",
  NotSupportAnonymous: "BadCredentials",
  InvalidAccessKeyId: "BadCredentials",
  SignatureDoesNotMatch: "BadCredentials",
  ExpiredToken: "BadCredentials",
  InvalidToken: "BadCredentials",
  PermanentRedirect: "WrongRegion",
  TemporaryRedirect: "WrongRegion",
  IncorrectRegion: "WrongRegion",
  AuthorizationHeaderMalformed: "WrongRegion",
  IllegalLocationConstraintException: "WrongRegion",
  RequestTimeTooSkewed: "ClockSkewed",
  QuotaExceeded: "QuotaExceeded",
  ServiceQuotaExceeded: "QuotaExceeded",
  InsufficientStorage: "QuotaExceeded",
  BadDigest: "BadDigest",
  XAmzContentSHA256Mismatch: "BadDigest",
  InvalidDigest: "BadDigest",
  InvalidPart: "BadPart",
  InvalidPartOrder: "BadPart",
  EntityTooSmall: "BadPart",
  InvalidObjectState: "Archived",
  InvalidRange: "Invalid",
  KeyTooLongError: "NameTooLong",
  NotImplemented: "NotSupported",
  SlowDown: "Unavailable",
  ServiceUnavailable: "Unavailable",
  InternalError: "Unavailable",
  Throttling: "Unavailable",
  ThrottlingException: "Unavailable",
  TooManyRequests: "Unavailable",
  RequestTimeout: "Unavailable",
  OperationAborted: "Unavailable",
  BadGateway: "Unavailable",
};

const BY_STATUS: Readonly<Record<number, Code>> = {
  301: "WrongRegion",
  307: "WrongRegion",
  403: "AccessDenied",
  404: "NotFound",
  408: "Unavailable",
  412: "PreconditionFailed",
  416: "Invalid",
  429: "Unavailable",
  507: "QuotaExceeded",
};

/** Errors of the network, and of a name that cannot be resolved. */
const NETWORK = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "ETIMEDOUT",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
  "HPE_INVALID_CONSTANT",
]);

/** The fields of an SDK error that are read; anything may be absent. */
interface SdkError {
  readonly name?: string;
  readonly Code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

/**
 * Any failure of a request as a `KodomountError` whose message says which request, S3's own code and the request id.
 * @param what the operation and its key.
 */
export function classify(what: string, thrown: unknown): KodomountError {
  if (thrown instanceof KodomountError)
    return new KodomountError(thrown.code, `${what}: ${thrown.message}`, { cause: thrown });
  const errno = errnoOf(thrown);
  if (errno !== undefined && NETWORK.has(errno))
    return new KodomountError("Unreachable", `${what}: ${describe(thrown)}`, { cause: thrown });
  const error = thrown as SdkError;
  const status = error.$metadata?.httpStatusCode;
  if (status === undefined) {
    if (/socket hang up|aborted|premature/i.test(describe(thrown)))
      return new KodomountError("Unreachable", `${what}: the connection broke`, { cause: thrown });
    return new KodomountError(
      /Credential/.test(error.name ?? "") ? "BadCredentials" : "Io",
      `${what}: ${describe(thrown)}`,
      { cause: thrown },
    );
  }
  const s3Code = error.Code ?? error.name ?? "";
  return new KodomountError(codeFor(s3Code, status), `${what}: ${textOf(s3Code, error, status)}`, {
    cause: thrown,
  });
}

/** Our code for S3's, or for the bare status where a reply has no body (HEAD). */
export function codeFor(s3Code: string, status: number): Code {
  const known = BY_CODE[s3Code];
  // A server that fails may send any code; what it says of our rights counts whatever the status.
  if (known !== undefined) return known;
  if (status >= 500) return "Unavailable";
  return BY_STATUS[status] ?? "Rejected";
}

function textOf(s3Code: string, error: SdkError, status: number): string {
  const id = error.$metadata?.requestId;
  return `the store answers ${status} ${s3Code}${error.message ? ` (${error.message})` : ""}${id ? `, request ${id}` : ""}`;
}
