// One bucket on disk: its objects and its unfinished uploads, changed one at a time.

import fs from "node:fs/promises";
import path from "node:path";
import { Mutex } from "../base/mod.ts";
import type { Blobs } from "./blobs.ts";
import { Objects } from "./objects.ts";
import { Uploads } from "./uploads.ts";

export class Bucket {
  readonly name: string;
  readonly createdMs: number;
  readonly objects: Objects;
  readonly uploads: Uploads;
  readonly #turn = new Mutex();

  private constructor(
    name: string,
    createdMs: number,
    parts: { objects: Objects; uploads: Uploads },
  ) {
    this.name = name;
    this.createdMs = createdMs;
    this.objects = parts.objects;
    this.uploads = parts.uploads;
  }

  /** Reads what the directory holds; it is made when absent. */
  static async open(dir: string, blobs: Blobs, uploadLifeMs: number): Promise<Bucket> {
    const objectsDir = path.join(dir, "objects");
    const uploadsDir = path.join(dir, "uploads");
    await fs.mkdir(objectsDir, { recursive: true });
    await fs.mkdir(uploadsDir, { recursive: true });
    const objects = await Objects.open(objectsDir, blobs);
    const over = new Set([...objects].flatMap(({ fromUpload }) => fromUpload ?? []));
    const uploads = await Uploads.open(uploadsDir, blobs, { lifeMs: uploadLifeMs, over });
    const { birthtimeMs } = await fs.stat(dir);
    return new Bucket(path.basename(dir), birthtimeMs, { objects, uploads });
  }

  /** Runs `change` while nothing else changes the bucket. */
  async change<T>(change: () => Promise<T>): Promise<T> {
    using _ = await this.#turn.acquire();
    return await change();
  }
}
