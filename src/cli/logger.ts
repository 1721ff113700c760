// The log: JSON lines by pino. What looks like a key is blotted out by name, and the keys that this process has are
// blotted out wherever they turn up.

import { mkdirSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import pino from "pino";
import { codeOf, describe, type Log, toError } from "../base/mod.ts";
import type { Credentials, LogLevel } from "../config/mod.ts";

const REDACTED = "[redacted]";
const SECRET_NAMES = [
  "credentials",
  "accessKeyId",
  "secretAccessKey",
  "sessionToken",
  "authorization",
  "Authorization",
  "password",
  "secret",
  "x-amz-security-token",
];

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Path, or a descriptor such as 2. */
  readonly to: string | number;
  readonly credentials: Credentials;
}

/** A log that writes each line before the call returns: the last one before a crash is the one that is needed. */
export function createLog(options: LoggerOptions): Log {
  const descriptor = typeof options.to === "number" ? options.to : openFile(options.to);
  const scrub = scrubber(options.credentials);
  return pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serializeError },
      redact: { paths: SECRET_NAMES.flatMap(pathsOf), censor: REDACTED },
    },
    { write: (line: string) => writeLine(descriptor, scrub(line)) },
  );
}

function openFile(file: string): number {
  mkdirSync(path.dirname(file), { recursive: true });
  return openSync(file, "a", 0o600);
}

function writeLine(descriptor: number, line: string): void {
  try {
    writeSync(descriptor, line);
  } catch {
    // A full disk or a closed terminal loses the line, and must not end the mount or fail what was logged about.
  }
}

/** Only what we know the meaning of: errors of libraries carry whole requests, with their headers. */
function serializeError(thrown: unknown): object {
  return { code: codeOf(thrown), message: describe(thrown), stack: toError(thrown).stack };
}

function pathsOf(name: string): string[] {
  const quoted = `["${name}"]`;
  return [quoted, `*${quoted}`, `*.*${quoted}`];
}

/** Replaces the secrets, plain or as in a URL, and signatures. */
function scrubber(credentials: Credentials): (line: string) => string {
  const secrets =
    credentials.kind === "static"
      ? [credentials.secretAccessKey, credentials.sessionToken ?? ""].filter((each) => each !== "")
      : [];
  const forms = secrets.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ]);
  return (line) => {
    const clean = forms.reduce((text, form) => text.replaceAll(form, REDACTED), line);
    return clean.replace(/(Signature=)[0-9a-f]{64}/g, `$1${REDACTED}`);
  };
}
