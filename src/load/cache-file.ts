// How a file of the cache on disk is laid out: one for each 8 MiB of a version of an object. It begins with a table of size
// and checksum of each block; the blocks follow, each at its place, and what is missing is a hole. What a crash has torn,
// and what has rotted, does not match its checksum. Pure.

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { BLOCK_SIZE } from "./block-memory.ts";

/** 100 GB are 12,000 files, and what is dropped at a time is little. */
export const BLOCKS_OF_FILE = 32;
/** Bytes of an object that a file has. */
export const FILE_SPAN: number = BLOCKS_OF_FILE * BLOCK_SIZE;
/** A page: the blocks behind it begin at one. */
export const TABLE_SIZE = 4096;

/** By number of the block in its file. */
export interface Table {
  /** Bytes; 0: it is not there. */
  readonly sizes: Uint32Array;
  /** CRC-32. */
  readonly sums: Uint32Array;
  /** 1: it has its room on the disk, whether it is there or on its way. Not in the file. */
  readonly reserved: Uint8Array;
}

const ENTRY_SIZE = 8;

export const FILE_NAME: RegExp = /^[0-9a-f]{64}-\d+$/;

/** Of the file with the block at `at`. @param source what tells the bucket from all others. */
export function fileNameOf(
  source: string,
  version: { readonly key: string; readonly etag: string },
  at: number,
): string {
  const name = [source, version.key, version.etag].join("\0");
  const hash = createHash("sha256").update(name).digest("hex");
  return `${hash}-${Math.floor(at / FILE_SPAN)}`;
}

/** The number of the block at `at` in its file. */
export function indexOf(at: number): number {
  return Math.floor((at % FILE_SPAN) / BLOCK_SIZE);
}

/** What is no entry of ours is taken as a block that is not there. */
export function parseTable(bytes: Buffer): Table {
  const table = {
    sizes: new Uint32Array(BLOCKS_OF_FILE),
    sums: new Uint32Array(BLOCKS_OF_FILE),
    reserved: new Uint8Array(BLOCKS_OF_FILE),
  };
  for (let index = 0; index < BLOCKS_OF_FILE; index += 1) {
    const size = bytes.readUInt32LE(entryAt(index));
    table.sizes[index] = size > BLOCK_SIZE ? 0 : size;
    table.reserved[index] = size === 0 ? 0 : 1;
    table.sums[index] = bytes.readUInt32LE(entryAt(index) + 4);
  }
  return table;
}

export function formatEntry({ size, sum }: { size: number; sum: number }): Buffer {
  const entry = Buffer.alloc(ENTRY_SIZE);
  entry.writeUInt32LE(size, 0);
  entry.writeUInt32LE(sum, 4);
  return entry;
}

/** Where the entry of a block is; it crosses no sector, so that it is written whole or not at all. */
export function entryAt(index: number): number {
  return index * ENTRY_SIZE;
}

export function dataAt(index: number): number {
  return TABLE_SIZE + index * BLOCK_SIZE;
}

/** Bytes that `size` bytes take on a disk. */
export function onDisk(size: number): number {
  return Math.ceil(size / TABLE_SIZE) * TABLE_SIZE;
}

/** A block that is right, but of another place, is wrong: its place is in the sum. */
export function sumOf(name: string, index: number, block: Buffer): number {
  return crc32(block, crc32(`${name}/${index}`));
}
