// What the cache on disk does to the disk: a parameter, so that tests can have one that is full.

import type fsp from "node:fs/promises";

export type CacheIo = Pick<typeof fsp, "open" | "readdir" | "stat" | "unlink" | "mkdir" | "utimes">;
