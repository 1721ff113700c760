// What is in a state directory, read and never written: the spill's saves, and the catalog as far as it can be read.

import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, groupBy, KodomountError, toError } from "../base/mod.ts";
import { type DataRecord, type PartRecord, type Remains, readRemains } from "../catalog/mod.ts";
import {
  DEFAULT_PART_SIZE,
  type PartPlan,
  PROVIDERS,
  partPlan,
  type SaveRecord,
  type Tier,
} from "../model/mod.ts";
import { parsePartName } from "../spill/mod.ts";
import type { PartFile } from "./layout.ts";

/** What is found of one save: some of it may be missing. */
export interface FoundSave {
  readonly id: string;
  readonly key: string | undefined;
  readonly attributes: Partial<SaveRecord["attributes"]>;
  readonly files: readonly PartFile[];
  /** When a part of it was written last, milliseconds since the epoch. */
  readonly writtenAt: number;
  readonly record: SaveRecord | undefined;
  readonly parts: readonly PartRecord[];
  readonly data: readonly DataRecord[];
}

export interface FoundState {
  readonly saves: readonly FoundSave[];
  readonly plan: PartPlan;
  /** The catalog can be read. */
  readonly hasCatalog: boolean;
  /** What a person should know of how this was read, one sentence each. */
  readonly notes: readonly string[];
}

const SAVE_ID = /^[0-9a-f]{16}$/;

/** @throws `Config` when it is no state directory. */
export async function readState(dir: string): Promise<FoundState> {
  const names = await list(dir);
  if (!names.includes("spill") && !names.includes("catalog"))
    throw new KodomountError(
      "Config",
      `Cannot salvage ${dir}: it is no state directory, there is neither 'spill' nor 'catalog' in it`,
    );
  const notes: string[] = [];
  const plan = await readPlan(dir, notes);
  const remains = await readRemains(join(dir, "catalog"));
  if ("why" in remains)
    notes.push(
      `The catalog cannot be read (${remains.why}): which files were closed, and files of up to 64 KiB, were there; the newest bytes of each part are taken`,
    );
  else if (remains.damaged.length > 0)
    notes.push(
      `${remains.damaged.length} records of the catalog are damaged, the first is ${JSON.stringify(remains.damaged[0])}`,
    );
  const known = "why" in remains ? undefined : remains;
  const saves = await readSaves(join(dir, "spill"), known);
  return { saves, plan, notes, hasCatalog: known !== undefined };
}

async function readSaves(spill: string, known: Remains | undefined): Promise<FoundSave[]> {
  const records = new Map((known?.saves ?? []).map((record) => [record.id as string, record]));
  const parts = groupBy(known?.parts ?? [], ({ save }): string => save);
  const data = groupBy(known?.data ?? [], ({ save }): string => save);
  const ids = new Set([...(await savesIn(spill)), ...records.keys(), ...data.keys()]);
  const found: FoundSave[] = [];
  for (const id of [...ids].sort()) {
    const record = records.get(id);
    const head = await readHead(join(spill, id, "head"));
    found.push({
      id,
      key: record?.key ?? head.key,
      attributes: record?.attributes ?? head.attributes,
      ...(await partFiles(join(spill, id))),
      record,
      parts: parts.get(id) ?? [],
      data: data.get(id) ?? [],
    });
  }
  return found;
}

async function savesIn(spill: string): Promise<string[]> {
  return (await list(spill)).filter((name) => SAVE_ID.test(name));
}

async function partFiles(dir: string): Promise<Pick<FoundSave, "files" | "writtenAt">> {
  const files: PartFile[] = [];
  let writtenAt = 0;
  for (const name of await list(dir)) {
    const ref = parsePartName(name);
    if (ref === undefined || ref.partNumber < 1) continue;
    const found = await lstat(join(dir, name));
    if (!found.isFile()) continue;
    files.push({ ...ref, size: found.size });
    writtenAt = Math.max(writtenAt, found.mtimeMs);
  }
  return { files, writtenAt };
}

/** One line of JSON that a crash, a disk or a person may have damaged. */
async function readHead(file: string): Promise<Pick<FoundSave, "key" | "attributes">> {
  const head = await readJson(file);
  const key = field(head, "key");
  const given = field(head, "attributes");
  const number = (name: string): number | undefined => {
    const value = field(given, name);
    return typeof value === "number" && Number.isFinite(value) ? value : undefined;
  };
  const attributes = Object.fromEntries(
    ["mode", "uid", "gid", "mtimeMs"].flatMap((name) => {
      const value = number(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return { key: typeof key === "string" && key !== "" ? key : undefined, attributes };
}

async function readPlan(dir: string, notes: string[]): Promise<PartPlan> {
  const tiers = await readJson(join(dir, "plan.json"));
  if (Array.isArray(tiers) && tiers.length > 0 && tiers.every(isTier)) return { tiers };
  notes.push(
    "plan.json cannot be read: parts of 8 MiB, the default, are assumed, and files of several parts are wrong if that is",
  );
  return partPlan(DEFAULT_PART_SIZE, PROVIDERS.generic);
}

function isTier(value: unknown): value is Tier {
  const [count, size] = [field(value, "count"), field(value, "size")];
  return (
    Number.isSafeInteger(count) &&
    Number.isSafeInteger(size) &&
    Number(count) > 0 &&
    Number(size) > 0
  );
}

/** undefined: not there, or not JSON. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    const errno = errnoOf(error);
    if (error instanceof SyntaxError || errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw toError(error);
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

async function list(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return [];
    throw toError(error);
  }
}
