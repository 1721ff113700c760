// Everything the server keeps, below one directory:
//   blobs/NAME                      bytes of objects and parts
//   buckets/BUCKET/objects/HASH     record of an object
//   buckets/BUCKET/uploads/ID/      record of an upload and of its parts

import fs from "node:fs/promises";
import path from "node:path";
import { Blobs } from "./blobs.ts";
import { Bucket } from "./bucket.ts";
import { Refusal } from "./refusal.ts";

export class Disk {
  readonly blobs: Blobs;
  readonly #dir: string;
  readonly #uploadLifeMs: number;
  readonly #buckets = new Map<string, Bucket>();

  private constructor(dir: string, uploadLifeMs: number) {
    this.#dir = dir;
    this.#uploadLifeMs = uploadLifeMs;
    this.blobs = new Blobs(path.join(dir, "blobs"));
  }

  /** Reads what is there, and removes what a killed server has left behind. */
  static async open(dir: string, uploadLifeMs: number): Promise<Disk> {
    const disk = new Disk(dir, uploadLifeMs);
    await fs.mkdir(path.join(dir, "blobs"), { recursive: true });
    await fs.mkdir(path.join(dir, "buckets"), { recursive: true });
    for (const name of await fs.readdir(path.join(dir, "buckets"))) await disk.#load(name);
    await disk.blobs.sweep();
    return disk;
  }

  get buckets(): Bucket[] {
    return [...this.#buckets.values()];
  }

  /** @throws `NoSuchBucket`. */
  bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined)
      throw new Refusal("NoSuchBucket", `There is no bucket ${JSON.stringify(name)}`);
    return bucket;
  }

  has(name: string): boolean {
    return this.#buckets.has(name);
  }

  /** @throws `InvalidBucketName`, `BucketAlreadyOwnedByYou`. */
  async create(name: string): Promise<void> {
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name))
      throw new Refusal("InvalidBucketName", `Not a name of a bucket: ${JSON.stringify(name)}`);
    if (this.has(name))
      throw new Refusal("BucketAlreadyOwnedByYou", `The bucket ${name} is yours already`);
    await this.#load(name);
  }

  async #load(name: string): Promise<void> {
    const dir = path.join(this.#dir, "buckets", name);
    this.#buckets.set(name, await Bucket.open(dir, this.blobs, this.#uploadLifeMs));
  }
}
