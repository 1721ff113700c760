// The narrow seam to the disk: everything the spill does to files. Tests put disks here that fill up, fail or lose power.

import fs from "node:fs";
import fsp from "node:fs/promises";

export interface SpillIo {
  /** Opens for reading and writing, made when it is missing. */
  open(path: string): Promise<number>;
  close(fd: number): Promise<void>;
  /** All of `data` at `offset`. */
  write(fd: number, data: Uint8Array, offset: number): Promise<void>;
  /** Fills `into` as far as the file reaches; returns how many bytes. */
  read(fd: number, into: Uint8Array, offset: number): Promise<number>;
  truncate(fd: number, size: number): Promise<void>;
  datasync(fd: number): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  copy(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  removeAll(path: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  /** undefined: not there. */
  size(path: string): Promise<number | undefined>;
  /** Bytes that may still be written to the disk of `path`. */
  free(path: string): Promise<number>;
}

export const nodeIo: SpillIo = {
  open: (path) =>
    settle<number>((done) =>
      fs.open(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600, done),
    ),
  close: (fd) => settle<void>((done) => fs.close(fd, done)),
  async write(fd, data, offset) {
    for (let at = 0; at < data.length; )
      at += await settle<number>((done) =>
        fs.write(fd, data, at, data.length - at, offset + at, done),
      );
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
  truncate: (fd, size) => settle<void>((done) => fs.ftruncate(fd, size, done)),
  datasync: (fd) => settle<void>((done) => fs.fdatasync(fd, done)),
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
  async size(path) {
    try {
      return (await fsp.stat(path)).size;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  },
  async free(path) {
    const { bavail, bsize } = await fsp.statfs(path);
    return bavail * bsize;
  },
};

function settle<T>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}
