// Temporary directories that are gone at the end of the block that made them, also when it fails.

import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";

export interface TempDir extends AsyncDisposable {
  readonly path: string;
}

/** `await using dir = await tempDir()` */
export async function tempDir(name = "test"): Promise<TempDir> {
  const made = await fs.mkdtemp(path.join(os.tmpdir(), `kodomount-${name}-`));
  return {
    path: made,
    async [Symbol.asyncDispose]() {
      await fs.rm(made, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
