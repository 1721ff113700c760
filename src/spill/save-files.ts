// What the spill remembers of the files of one save.

import { Mutex } from "../base/mod.ts";
import { type PartNumber, type Rev, type SaveId, toPartNumber, toRev } from "../model/mod.ts";
import { Durable } from "./durable.ts";
import { Extents } from "./extents.ts";

export interface PartRef {
  readonly save: SaveId;
  readonly partNumber: PartNumber;
  readonly rev: Rev;
}

/** A file on the disk, under one name or more: hard links count once. */
export class SpillFile {
  names = 1;
  readonly written: Extents = new Extents();
  readonly durable: Durable;

  constructor(path: string) {
    this.durable = new Durable(path);
  }
}

export class SaveFiles {
  /** By name within the save's directory. */
  readonly parts: Map<string, SpillFile> = new Map();
  readonly head: Durable;
  readonly directory: Durable;
  /** Two syncs of one save are not mixed: the second must not believe what the first has not done yet. */
  readonly syncing: Mutex = new Mutex();
  /** `head` was written since it was last synced, or by an earlier run. */
  headDirty = false;
  /** Names came or went since the directory was last synced. */
  namesDirty = true;
  /** The save's own name in the spill directory was never synced. */
  isNew = true;
  /** Parts that an earlier run may have left in the page cache: they are synced with the others, once. */
  unsynced: string[] = [];

  constructor(path: string) {
    this.head = new Durable(`${path}/head`);
    this.directory = new Durable(path);
  }
}

export function partName({ partNumber, rev }: { partNumber: PartNumber; rev: Rev }): string {
  return `${String(partNumber).padStart(5, "0")}.${rev}`;
}

/** undefined: not the name of a part. */
export function parsePartName(name: string): { partNumber: PartNumber; rev: Rev } | undefined {
  const match = /^(\d{5})\.([1-9]\d*)$/.exec(name);
  if (match === null) return undefined;
  return { partNumber: toPartNumber(Number(match[1])), rev: toRev(Number(match[2])) };
}
