// The catalog's records about itself: of which version it is, whose it is, and how its last use ended.

import { invariant, KodomountError } from "../base/mod.ts";
import { put } from "./changes.ts";
import { decode } from "./codec.ts";
import type { Database } from "./database.ts";
import { Fields } from "./fields.ts";
import type { JournalStep } from "./journal.ts";
import { BOOT_KEY, IDENTITY_KEY, NEXT_KEY, SCHEMA_KEY } from "./keys.ts";
import { parseIdentity } from "./parse.ts";
import type { Identity } from "./records.ts";

/** Of the layout of keys and records; grows with every change that an older program would misread. */
const SCHEMA_VERSION = 3;

/** The root is 1. */
const FIRST_NUMBER = 2;

export interface Meta {
  readonly isNew: boolean;
  readonly sameBoot: boolean;
  readonly cleanStop: boolean;
  /** Nothing from here on was ever given out. */
  readonly next: number;
}

/**
 * What an earlier use has left, checked against `expected`.
 * @throws `Config` (of another bucket, of a newer version), `Corrupt`.
 */
export async function readMeta(
  db: Database,
  expected: { dir: string; identity: Identity; bootId: string },
): Promise<Meta> {
  const { dir, bootId, identity } = expected;
  const read = async (key: string): Promise<Fields | undefined> => {
    const text = await db.get(key);
    return text === undefined ? undefined : new Fields(key, decode(key, text));
  };
  const schema = await read(SCHEMA_KEY);
  if (schema === undefined) {
    const [any] = await db.keys({ limit: 1 }).all();
    if (any !== undefined)
      throw new KodomountError("Corrupt", "The catalog has records, but none of its version");
    return { isNew: true, sameBoot: true, cleanStop: true, next: FIRST_NUMBER };
  }
  assertVersion(dir, schema.whole("version", 1));
  const found = decoded(IDENTITY_KEY, await db.get(IDENTITY_KEY));
  assertSame(dir, parseIdentity(found), identity);
  const boot = await read(BOOT_KEY);
  const next = await read(NEXT_KEY);
  return {
    isNew: false,
    sameBoot: boot?.text("id") === bootId,
    cleanStop: boot?.flag("clean") === true,
    next: next?.whole("next", FIRST_NUMBER) ?? FIRST_NUMBER,
  };
}

/** The first batch of a use. */
export function started(identity: Identity): JournalStep[] {
  return [put(SCHEMA_KEY, { version: SCHEMA_VERSION }), put(IDENTITY_KEY, identity)];
}

/** From now on an end that is not `stopped` was not orderly. */
export function running(bootId: string): JournalStep[] {
  return [put(BOOT_KEY, { id: bootId, clean: false })];
}

export function stopped(bootId: string): JournalStep[] {
  return [put(BOOT_KEY, { id: bootId, clean: true })];
}

export function nextNumber(next: number): JournalStep[] {
  invariant(Number.isSafeInteger(next), `numbers of files stay below 2^53: ${next}`);
  return [put(NEXT_KEY, { next })];
}

function decoded(key: string, text: string | undefined): unknown {
  return text === undefined ? undefined : decode(key, text);
}

/** Version 1 knew no `d/` records, version 2 no wants of attributes: to have none is all that makes a directory newer. */
function assertVersion(dir: string, version: number): void {
  if (version > SCHEMA_VERSION)
    throw new KodomountError(
      "Config",
      `The state directory ${dir} has version ${version}, this program knows versions up to ${SCHEMA_VERSION}: use a newer program or another '--state-dir'`,
    );
}

function assertSame(dir: string, found: Identity, expected: Identity): void {
  const text = ({ endpoint, bucket, prefix }: Identity): string =>
    `${bucket}/${prefix} at ${endpoint}`;
  if (text(found) !== text(expected))
    throw new KodomountError(
      "Config",
      `The state directory ${dir} belongs to ${text(found)}, not to ${text(expected)}: use another '--state-dir'`,
    );
}
