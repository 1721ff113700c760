// The narrow seam to the disk: everything the spill does to files. Tests put disks here that fill up, fail or lose power.

import fs from "node:fs";
import fsp from "node:fs/promises";
import { errnoOf } from "../base/mod.ts";

/** Rejects with Node's errors. Descriptors are numbers: a `FileHandle` costs more per call and must not be collected. */
export interface SpillIo {
  /** For reading and writing. `create`: made when it is missing. */
  open(path: string, options: { create: boolean }): Promise<number>;
  close(fd: number): Promise<void>;
  /** All of `data` at `offset`. */
  write(fd: number, data: Uint8Array, offset: number): Promise<void>;
  /** Fills `into` as far as the file reaches; returns how many bytes. */
  read(fd: number, into: Uint8Array, offset: number): Promise<number>;
  truncate(fd: number, size: number): Promise<void>;
  datasync(fd: number): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  /** Shares blocks where the disk can. */
  copy(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** With everything in it; what is not there is removed. */
  removeAll(path: string): Promise<void>;
  /** And its parents, where they are missing. */
  makeDirectory(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  /** undefined: not there. */
  stat(path: string): Promise<FileStat | undefined>;
  space(path: string): Promise<DiskSpace>;
}

export interface FileStat {
  /** The same for every hard link of a file. */
  readonly ino: number;
  readonly size: number;
  /** Bytes that it takes on the disk: fewer than `size` where it has holes. */
  readonly allocated: number;
}

/** In bytes. */
export interface DiskSpace {
  /** May still be written by an ordinary user. */
  readonly free: number;
  readonly total: number;
}

export const nodeIo: SpillIo = {
  open(path, { create }) {
    const flags = fs.constants.O_RDWR | (create ? fs.constants.O_CREAT : 0);
    return settle<number>((done) => fs.open(path, flags, 0o600, done));
  },
  close: (fd) => settleVoid((done) => fs.close(fd, done)),
  async write(fd, data, offset) {
    let at = await writeSome(fd, data, offset);
    while (at < data.length) at += await writeSome(fd, data.subarray(at), offset + at);
  },
  async read(fd, into, offset) {
    let at = 0;
    while (at < into.length) {
      const count = await settle<number>((done) =>
        fs.read(fd, into, at, into.length - at, offset + at, done),
      );
      if (count === 0) break;
      at += count;
    }
    return at;
  },
  truncate: (fd, size) => settleVoid((done) => fs.ftruncate(fd, size, done)),
  datasync: (fd) => settleVoid((done) => fs.fdatasync(fd, done)),
  async syncDirectory(path) {
    const directory = await fsp.open(path, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
  link: (from, to) => fsp.link(from, to),
  copy: (from, to) => fsp.copyFile(from, to, fs.constants.COPYFILE_FICLONE),
  unlink: (path) => fsp.unlink(path),
  removeAll: (path) => fsp.rm(path, { recursive: true, force: true }),
  async makeDirectory(path) {
    await fsp.mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: (path) => fsp.readdir(path),
  async stat(path) {
    try {
      const { ino, size, blocks } = await fsp.stat(path);
      return { ino, size, allocated: blocks * 512 };
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  },
  async space(path) {
    const { bavail, blocks, bsize } = await fsp.statfs(path);
    return { free: bavail * bsize, total: blocks * bsize };
  },
};

function writeSome(fd: number, data: Uint8Array, offset: number): Promise<number> {
  return settle<number>((done) => fs.write(fd, data, 0, data.length, offset, done));
}

type Failure = NodeJS.ErrnoException | null;

function settle<T>(start: (done: (error: Failure, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value)));
  });
}

function settleVoid(start: (done: (error: Failure) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}
