// Sorts what a server or a network says into our codes: the one table of S3's error codes.

import { type Code, describe, errnoOf, KodomountError, toError } from "../base/mod.ts";

const BY_CODE: Readonly<Record<string, Code>> = {
  NoSuchKey: "NotFound",
  NotFound: "NotFound",
  NoSuchUpload: "NoSuchUpload",
  NoSuchBucket: "NoSuchBucket",
  PreconditionFailed: "PreconditionFailed",
  AccessDenied: "AccessDenied",
  AllAccessDisabled: "AccessDenied",
  AccountProblem: "AccessDenied",
  InvalidSecurity: "AccessDenied",
  NotSignedUp: "AccessDenied",
  UserSuspended: "AccessDenied",
  NotSupportAnonymous: "BadCredentials",
  InvalidAccessKeyId: "BadCredentials",
  SignatureDoesNotMatch: "BadCredentials",
  ExpiredToken: "BadCredentials",
  ExpiredTokenException: "BadCredentials",
  TokenRefreshRequired: "BadCredentials",
  CredentialsProviderError: "BadCredentials",
  InvalidToken: "BadCredentials",
  PermanentRedirect: "WrongRegion",
  TemporaryRedirect: "WrongRegion",
  IncorrectRegion: "WrongRegion",
  AuthorizationHeaderMalformed: "WrongRegion",
  IllegalLocationConstraintException: "WrongRegion",
  RequestTimeTooSkewed: "ClockSkewed",
  RequestExpired: "ClockSkewed",
  QuotaExceeded: "QuotaExceeded",
  ServiceQuotaExceeded: "QuotaExceeded",
  InsufficientStorage: "QuotaExceeded",
  XMinioStorageFull: "QuotaExceeded",
  BadDigest: "BadDigest",
  XAmzContentSHA256Mismatch: "BadDigest",
  InvalidDigest: "BadDigest",
  InvalidPart: "BadPart",
  InvalidPartOrder: "BadPart",
  EntityTooSmall: "BadPart",
  InvalidObjectState: "Archived",
  ObjectNotInActiveTierError: "Archived",
  RestoreAlreadyInProgress: "Busy",
  InvalidRange: "Invalid",
  EntityTooLarge: "TooLarge",
  KeyTooLongError: "NameTooLong",
  NotImplemented: "NotSupported",
  SlowDown: "Unavailable",
  ServiceUnavailable: "Unavailable",
  InternalError: "Unavailable",
  Throttling: "Unavailable",
  ThrottlingException: "Unavailable",
  TooManyRequests: "Unavailable",
  RequestTimeout: "Unavailable",
  IncompleteBody: "Unavailable",
  ConditionalRequestConflict: "Unavailable",
  OperationAborted: "Unavailable",
  BadGateway: "Unavailable",
};

const BY_STATUS: Readonly<Record<number, Code>> = {
  301: "WrongRegion",
  307: "WrongRegion",
  308: "WrongRegion",
  403: "AccessDenied",
  404: "NotFound",
  408: "Unavailable",
  412: "PreconditionFailed",
  416: "Invalid",
  429: "Unavailable",
  501: "NotSupported",
  507: "QuotaExceeded",
};

/** Stores refuse what was signed 15 minutes off; the time of their replies is a little later, and cut to seconds. */
const SKEW_MS = 14 * 60_000;

/** Errors of the network and of names that cannot be resolved. */
const NETWORK: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "ETIMEDOUT",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
]);

/**
 * What is not HTTP, and a certificate that is not to be trusted: somebody else answers in the store's place, as a hotel's
 * network does, or its operator must act. Nothing was done, and the store may be itself again later: so wait, and say so.
 */
const IMPOSTOR = /^(HPE_|ERR_TLS_|ERR_SSL_|CERT_|EPROTO$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/**
 * Any failure of a request as a `KodomountError` whose message says which request, S3's own code and the request id.
 * @param what the operation and its key.
 * @param clockMovedMs how much the store's clock turned out to differ from the time that the request was signed with.
 */
export function classify(what: string, thrown: unknown, clockMovedMs = 0): KodomountError {
  if (thrown instanceof KodomountError)
    return new KodomountError(thrown.code, `${what}: ${thrown.message}`, { cause: thrown });
  const errno = errnoOf(thrown);
  const name = text(thrown, "name") ?? "";
  if (errno !== undefined && (NETWORK.has(errno) || IMPOSTOR.test(errno)))
    return new KodomountError("Unreachable", `${what}: ${describe(thrown)}`, { cause: thrown });
  const status = number(field(thrown, "$metadata"), "httpStatusCode") ?? statusOf(thrown);
  if (status === undefined)
    return new KodomountError(knownCode(name) ?? "Io", `${what}: ${describe(thrown)}`, {
      cause: thrown,
    });
  // Without the thrown error as cause: it holds all fields of the reply, the access key among them.
  const { message, stack } = toError(thrown);
  const cause = Object.assign(new Error(message), { stack });
  const isSkewed = clockMovedMs >= SKEW_MS && isBare403(thrown, status);
  const code = isSkewed ? "ClockSkewed" : codeOfReply(thrown, status);
  return new KodomountError(code, `${what}: ${told(thrown, status)}`, { cause });
}

/** A reply to HEAD has no body that could say why: a wrong time is refused with the same status as wrong keys. */
function isBare403(thrown: unknown, status: number): boolean {
  return status === 403 && knownCode(s3CodeOf(thrown)) === undefined;
}

/** Our code for S3's, or for the bare status where a reply has no body (HEAD) or none of S3's. */
function codeFor(s3Code: string, status: number): Code {
  return knownCode(s3Code) ?? BY_STATUS[status] ?? (status >= 500 ? "Unavailable" : "Rejected");
}

function codeOfReply(thrown: unknown, status: number): Code {
  const s3Code = s3CodeOf(thrown);
  const fromStore = text(field(thrown, "$metadata"), "requestId") !== undefined;
  // A success that cannot be read, a redirection that no store has signed: somebody else answers, as with what IMPOSTOR lists.
  if (status < 400 && knownCode(s3Code) === undefined && !(fromStore && status >= 300))
    return "Unavailable";
  return codeFor(s3Code, status);
}

function knownCode(s3Code: string): Code | undefined {
  return Object.hasOwn(BY_CODE, s3Code) ? BY_CODE[s3Code] : undefined;
}

function told(thrown: unknown, status: number): string {
  const message = text(thrown, "message") ?? "";
  const id = text(field(thrown, "$metadata"), "requestId");
  return (
    `the store answers ${status} ${s3CodeOf(thrown)}` +
    `${message === "" ? "" : ` (${message.slice(0, 200)})`}${id === undefined ? "" : `, request ${id}`}`
  );
}

function s3CodeOf(thrown: unknown): string {
  return text(thrown, "Code") ?? text(thrown, "name") ?? "";
}

/** Of a reply that the SDK could not read; it hides the reply in the error. */
function statusOf(thrown: unknown): number | undefined {
  return number(field(thrown, "$response"), "statusCode");
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function text(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === "string" ? found : undefined;
}

function number(value: unknown, name: string): number | undefined {
  const found = field(value, name);
  return typeof found === "number" ? found : undefined;
}
