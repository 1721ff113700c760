// One frozen, validated configuration from flags and environment. What is in it has been checked against everything that
// can be known without asking the disk or the network.

import { createHash } from "node:crypto";
import path from "node:path";
import { z } from "zod";
import { KodomountError } from "../base/mod.ts";
import {
  DEFAULT_PART_SIZE,
  HeldNames,
  PROVIDERS,
  type ProviderName,
  partPlan,
  type StorageRule,
} from "../model/mod.ts";
import { badValue } from "./bad-value.ts";
import { type Credentials, type Environment, findCredentials } from "./credentials.ts";
import { type Endpoint, parseEndpoint, parseReadEndpoint } from "./endpoint.ts";
import type { MountFlags } from "./mount-flags.ts";
import { parseMountOptions } from "./mount-options.ts";
import { parseCount, parseDuration, parseSize } from "./quantity.ts";
import { parseSource, type Source } from "./source.ts";
import { parseStorageClasses } from "./storage-class.ts";

export const CLOSE_MODES = ["commit", "strict", "local"] as const;
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const PERSIST_ATTRIBUTES = ["catalog", "copy"] as const;
export type PersistAttributes = (typeof PERSIST_ATTRIBUTES)[number];
export type CloseMode = (typeof CLOSE_MODES)[number];
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface MountConfig {
  readonly bucket: string;
  /** "" or ending with `/`. */
  readonly prefix: string;
  /** With scheme, without a trailing slash. */
  readonly endpoint: string;
  /** Where content is read first: scheme, host and perhaps a path, without a trailing slash. */
  readonly readEndpoint?: string | undefined;
  readonly region: string;
  readonly provider: ProviderName;
  /** Never logged, never an argument. */
  readonly credentials: Credentials;
  /** Absolute path of the mount point. */
  readonly dir: string;
  /** Absolute path. */
  readonly stateDir: string;
  readonly closeMode: CloseMode;
  readonly closeLagMs: number;
  /** Patterns of names that are held beside the built-in ones. */
  readonly hold: readonly string[];
  /** Of which class what is saved is to be. */
  readonly storageClasses: readonly StorageRule[];
  /** Where attributes go that change when the upload of their object has begun: see semantics.md, 6. */
  readonly persistAttributes: PersistAttributes;
  /** Bytes; undefined: chosen at start from the free space of the state directory's disk. */
  readonly spillLimit?: number | undefined;
  /** How old a listing may be that is shown. */
  readonly listTtlMs: number;
  /** Bytes that reads may take: what was fetched and what is on its way. */
  readonly readMemory: number;
  /** What was read is kept on disk; undefined: in memory only. */
  readonly cache?: CacheConfig | undefined;
  /** Bytes of the first parts of a file. */
  readonly partSize: number;
  /** Parts under way at the same time; undefined: as many as pay. */
  readonly uploads?: number | undefined;
  /** Congestion control of connections. */
  readonly congestion: (typeof CONGESTIONS)[number];
  readonly allowOther: boolean;
  readonly readOnly: boolean;
  readonly foreground: boolean;
  readonly log: { readonly level: LogLevel; readonly file?: string | undefined };
}

export interface CacheConfig {
  /** Absolute path. */
  readonly dir: string;
  /** Bytes; undefined: chosen at start from the free space of its disk. */
  readonly size?: number | undefined;
}

/** What of the machine and the process the configuration depends on. */
export interface Surroundings {
  readonly env: Environment;
  readonly cwd: string;
  readonly home: string;
  readonly isRoot: boolean;
  readonly hasFile: (path: string) => boolean;
}

const UPLOADS_MAX = 256;
export const CONGESTIONS = ["bbr", "system"] as const;
export const CLOSE_LAG_DEFAULT = "2s";
export const LIST_TTL_DEFAULT = "5s";
const LIST_TTL_MAX_MS = 24 * 3_600_000;
export const READ_MEMORY_DEFAULT = "64M";
/** Two of the kernel's largest requests, and as much on its way. */
const READ_MEMORY_MIN = 4 * 1024 * 1024;
/** Some files of the cache, so that it can drop one and still be of use. */
const CACHE_SIZE_MIN = 64 * 1024 * 1024;
const CLOSE_LAG_MAX_MS = 24 * 3_600_000;

const SCHEMA: z.ZodType<MountConfig> = z.strictObject({
  bucket: z.string().min(1),
  prefix: z.string().regex(/^$|\/$/),
  endpoint: z.url(),
  readEndpoint: z.url().optional(),
  region: z.string().min(1),
  provider: z.enum(["kodo", "aws", "generic"]),
  credentials: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("static"),
      accessKeyId: z.string().min(1),
      secretAccessKey: z.string().min(1),
      sessionToken: z.string().min(1).exactOptional(),
    }),
    z.strictObject({ kind: z.literal("profile"), profile: z.string().min(1) }),
  ]),
  dir: z.string().startsWith("/"),
  stateDir: z.string().startsWith("/"),
  closeMode: z.enum(CLOSE_MODES),
  closeLagMs: z.int().min(0).max(CLOSE_LAG_MAX_MS),
  hold: z.array(z.string()),
  storageClasses: z.array(
    z.strictObject({ pattern: z.string().exactOptional(), storageClass: z.string() }),
  ),
  persistAttributes: z.enum(PERSIST_ATTRIBUTES),
  spillLimit: z.int().positive().optional(),
  listTtlMs: z.int().min(0).max(LIST_TTL_MAX_MS),
  readMemory: z.int().min(READ_MEMORY_MIN),
  cache: z
    .strictObject({
      dir: z.string().startsWith("/"),
      size: z.int().min(CACHE_SIZE_MIN).optional(),
    })
    .optional(),
  partSize: z.int().positive(),
  uploads: z.int().min(1).max(UPLOADS_MAX).optional(),
  congestion: z.enum(CONGESTIONS),
  allowOther: z.boolean(),
  readOnly: z.boolean(),
  foreground: z.boolean(),
  log: z.strictObject({ level: z.enum(LOG_LEVELS), file: z.string().startsWith("/").optional() }),
});

/**
 * The configuration of one mount.
 * @throws `Config` for the first value that is wrong, in one line.
 */
export function loadMountConfig(
  request: { readonly source: string; readonly dir: string; readonly flags: MountFlags },
  around: Surroundings,
): MountConfig {
  const flags = mergeOptions(request.flags);
  const source = parseSource(request.source);
  const store = findStore(flags, around);
  const partSize =
    flags.partSize === undefined ? DEFAULT_PART_SIZE : parseSize("'--part-size'", flags.partSize);
  // Throws when such parts cannot be.
  partPlan(partSize, PROVIDERS[store.endpoint.provider]);
  const closeLagMs = parseDuration("'--close-lag'", flags.closeLag ?? CLOSE_LAG_DEFAULT);
  if (closeLagMs > CLOSE_LAG_MAX_MS)
    throw badValue(
      "'--close-lag'",
      flags.closeLag,
      "it can be at most 24h; '--close=local' has no bound",
    );
  return parseMountConfig({
    ...source,
    ...store.endpoint,
    readEndpoint: parseReadEndpoint(flags),
    credentials: store.credentials,
    dir: absolute("the mount point", request.dir, around),
    stateDir: stateDirOf(flags, { source, endpoint: store.endpoint, around }),
    closeMode: oneOf("'--close'", flags.close ?? "commit", CLOSE_MODES),
    closeLagMs,
    hold: parseHold(flags.hold ?? []),
    storageClasses: parseStorageClasses(flags.storageClass ?? [], store.endpoint.provider),
    persistAttributes: oneOf(
      "'--persist-attributes'",
      flags.persistAttributes ?? "catalog",
      PERSIST_ATTRIBUTES,
    ),
    spillLimit:
      flags.spillLimit === undefined ? undefined : parseSize("'--spill-limit'", flags.spillLimit),
    listTtlMs: parseListTtl(flags.listTtl),
    readMemory: parseReadMemory(flags.readMemory),
    cache: parseCache(flags, around),
    partSize,
    uploads: parseUploads(flags.uploads),
    congestion: oneOf("'--congestion'", flags.congestion ?? "bbr", CONGESTIONS),
    allowOther: flags.allowOther ?? false,
    readOnly: flags.readOnly ?? false,
    foreground: flags.foreground ?? false,
    log: parseLog(flags.log, around),
  });
}

/** A configuration that came from another process of ours. @throws `Config` when it is none. */
export function parseMountConfig(input: unknown): MountConfig {
  const { success, data, error } = SCHEMA.safeParse(input);
  // Paths only: a value may be a key.
  if (!success) {
    const where = error.issues.map((issue) => issue.path.join(".") || issue.code).join(", ");
    throw new KodomountError("Config", `The configuration of the mount is not valid in: ${where}`);
  }
  return Object.freeze(data);
}

/** Where state is kept when nothing is said: one directory for all that a user mounts. */
export function stateBase(around: Surroundings): string {
  if (around.isRoot) return "/var/lib/kodomount";
  // The XDG rule: a path that is not absolute does not count.
  const xdg = around.env["XDG_STATE_HOME"];
  const base = xdg?.startsWith("/") ? xdg : path.join(around.home, ".local", "state");
  return path.join(base, "kodomount");
}

function mergeOptions(flags: MountFlags): MountFlags {
  const given = Object.fromEntries(
    Object.entries(flags).filter(([, value]) => value !== undefined),
  );
  return { ...parseMountOptions(flags.options ?? []), ...given };
}

function findStore(
  flags: MountFlags,
  around: Surroundings,
): { endpoint: Endpoint; credentials: Credentials } {
  const { env, home, hasFile } = around;
  const endpoint = parseEndpoint(flags, {
    region: env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || undefined,
    // Keys of Kodo alone say which store is meant.
    provider: env["KODO_ACCESS_KEY"] && flags.profile === undefined ? "kodo" : undefined,
  });
  const file = env["AWS_SHARED_CREDENTIALS_FILE"] || path.join(home, ".aws", "credentials");
  const credentials = findCredentials({
    profile: flags.profile,
    provider: endpoint.provider,
    env,
    hasProfiles: hasFile(file),
  });
  return { endpoint, credentials };
}

function stateDirOf(
  flags: MountFlags,
  from: { source: Source; endpoint: Endpoint; around: Surroundings },
): string {
  const { source, endpoint, around } = from;
  if (flags.stateDir !== undefined) return absolute("'--state-dir'", flags.stateDir, around);
  const identity = [endpoint.endpoint, source.bucket, source.prefix].join("\0");
  const hash = createHash("sha256").update(identity).digest("hex").slice(0, 10);
  // Names for people; the hash tells apart what looks alike. Short, since a socket's path must be.
  const name = [source.bucket, ...source.prefix.split("/")]
    .filter((part) => part !== "")
    .join("-")
    .replace(/[^A-Za-z0-9._-]+/g, "_")
    .slice(0, 40);
  return path.join(stateBase(around), `${name}-${hash}`);
}

function absolute(what: string, text: string, around: Surroundings): string {
  if (text === "") throw badValue(what, text, "it must be the path of a directory");
  if (text.includes("\0")) throw badValue(what, undefined, "a path must not have NUL in it");
  return path.resolve(around.cwd, text);
}

function oneOf<T extends string>(what: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === text);
  if (found !== undefined) return found;
  throw badValue(what, text, `it must be ${allowed.slice(0, -1).join(", ")} or ${allowed.at(-1)}`);
}

function parseUploads(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return parseCount("'--uploads'", text, { min: 1, max: UPLOADS_MAX });
}

function parseListTtl(text: string = LIST_TTL_DEFAULT): number {
  const listTtlMs = parseDuration("'--list-ttl'", text);
  if (listTtlMs <= LIST_TTL_MAX_MS) return listTtlMs;
  throw badValue("'--list-ttl'", text, "it can be at most 24h");
}

function parseReadMemory(text: string = READ_MEMORY_DEFAULT): number {
  const readMemory = parseSize("'--read-memory'", text);
  if (readMemory >= READ_MEMORY_MIN) return readMemory;
  throw badValue("'--read-memory'", text, "it must be 4M at least");
}

function parseCache(
  { cacheDir, cacheSize }: MountFlags,
  around: Surroundings,
): CacheConfig | undefined {
  if (cacheDir === undefined) {
    if (cacheSize === undefined) return undefined;
    throw badValue("'--cache-size'", cacheSize, "there is no cache without '--cache-dir'");
  }
  const dir = absolute("'--cache-dir'", cacheDir, around);
  const size = cacheSize === undefined ? undefined : parseSize("'--cache-size'", cacheSize);
  if (size !== undefined && size < CACHE_SIZE_MIN)
    throw badValue("'--cache-size'", cacheSize, "it must be 64M at least");
  return { dir, size };
}

/** @throws `Config` for a pattern that cannot be one. */
function parseHold(patterns: readonly string[]): readonly string[] {
  new HeldNames(patterns);
  return patterns;
}

/** `LEVEL`, `FILE` or `LEVEL:FILE`. */
function parseLog(text: string | undefined, around: Surroundings): MountConfig["log"] {
  if (text === undefined) return { level: "info" };
  const level = LOG_LEVELS.find((each) => text === each || text.startsWith(`${each}:`));
  const file = level === undefined ? text : text.slice(level.length + 1);
  if (file === "" && level !== undefined && text === level) return { level };
  if (!file.includes("/"))
    throw badValue(
      "'--log'",
      text,
      `it must be ${LOG_LEVELS.join(", ")}, a file (with a '/' in it), or LEVEL:FILE`,
    );
  return { level: level ?? "info", file: path.resolve(around.cwd, file) };
}
