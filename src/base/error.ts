// The one error class of the product. Match on `code`, never on the message.

/**
 * What can go wrong, in our words. `fs/errno.ts` says which errno each one becomes, `docs/semantics.md` says when a
 * program meets it. The second half comes from the store: its adapter sorts every reply of a server into one of these.
 */
export const CODES = [
  // The namespace and the file.
  "NotFound",
  "Exists",
  "NotDirectory",
  "IsDirectory",
  "NotEmpty",
  "NameTooLong",
  "NameNotUtf8",
  "Invalid",
  "BadHandle",
  "ReadOnlyMount",
  "NotPermitted",
  "NotSupported",
  "NotImplemented",
  "CrossDevice",
  "NotTerminal",
  "NoAttribute",
  "TooLarge",
  "NoSpace",
  "Interrupted",
  "Stale",
  "Busy",
  "Evicted",
  // Local state.
  "Io",
  "Corrupt",
  "Programmer",
  "Config",
  // The store.
  "NoSuchUpload",
  "NoSuchBucket",
  "PreconditionFailed",
  "Conflict",
  "AccessDenied",
  "BadCredentials",
  "WrongRegion",
  "ClockSkewed",
  "QuotaExceeded",
  "BadDigest",
  "BadReply",
  "BadPart",
  "Archived",
  "Rejected",
  "Unavailable",
  "TimedOut",
  "Unreachable",
] as const;

export type Code = (typeof CODES)[number];

const RETRYABLE: ReadonlySet<Code> = new Set<Code>([
  "Unavailable",
  "TimedOut",
  "Unreachable",
  "BadReply",
]);

/**
 * @param code what happened, from the closed list above.
 * @param message a sentence that names what was wrong and, where the reader can act, what to do. Never a secret.
 */
export class KodomountError extends Error {
  override readonly name = "KodomountError";
  readonly code: Code;

  constructor(code: Code, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** True when the same request may succeed later without anybody doing anything. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }
}

/** The code of any thrown value; what is not ours counts as `Io`. */
export function codeOf(error: unknown): Code {
  return error instanceof KodomountError ? error.code : "Io";
}

/** For `catch` of a wait that ends early because it is not wanted any more: who goes on looks why. @throws any other error. */
export function ignoreInterrupted(error: unknown): void {
  if (codeOf(error) !== "Interrupted") throw error;
}

/** Any thrown value as an `Error`, so that it can be a cause. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The errno name (`ENOENT`, ...) of a system error of Node, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

/** The messages of an error and of its causes in one line: what an operator reads. */
export function describe(thrown: unknown): string {
  const parts: string[] = [];
  let at: unknown = thrown;
  // Counted, since an error may be its own cause.
  for (let depth = 0; at !== undefined && depth < 5; depth += 1) {
    const error = toError(at);
    // A cause that was quoted already would only be said twice.
    if (!parts.some((part) => part.includes(error.message))) parts.push(error.message);
    at = error.cause;
  }
  return parts.join(": ");
}
