// The bytes of one salvaged file, from part files into a new one; what is zeros stays a hole.

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Layout, Missing, Piece } from "./layout.ts";

const STEP = 1024 * 1024;
const ZEROS = Buffer.alloc(STEP);

/**
 * Makes `target`, which must not exist, and syncs it.
 * @param from the save's directory in the spill.
 * @returns ranges whose bytes turned out not to be what was once hashed, or could not be read.
 */
export async function copyPieces(layout: Layout, from: string, target: string): Promise<Missing[]> {
  const to = await open(target, "wx", 0o600);
  try {
    await to.truncate(layout.size);
    const wrong: Missing[] = [];
    for (const piece of layout.pieces) {
      const why = await copyPiece(piece, from, to);
      if (why !== undefined) wrong.push({ offset: piece.offset, size: piece.size, why });
    }
    await to.sync();
    return wrong;
  } finally {
    await to.close();
  }
}

/** @returns what is wrong with it. A target that cannot be written throws. */
async function copyPiece(piece: Piece, from: string, to: FileHandle): Promise<string | undefined> {
  const name = `${String(piece.partNumber).padStart(5, "0")}.${piece.rev}`;
  let source: FileHandle;
  try {
    // Not through a link that somebody has put there.
    source = await open(join(from, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    return `its file cannot be opened: ${String(error)}`;
  }
  try {
    const hash = createHash("sha256");
    const buffer = Buffer.alloc(STEP);
    for (let at = 0; at < piece.size; ) {
      const length = Math.min(STEP, piece.size - at);
      const { bytesRead, why } = await readSome(source, buffer.subarray(0, length), at);
      if (why !== undefined) return why;
      const bytes = buffer.subarray(0, bytesRead);
      hash.update(bytes);
      if (!bytes.equals(ZEROS.subarray(0, bytesRead)))
        await to.write(bytes, 0, bytesRead, piece.offset + at);
      at += bytesRead;
    }
    if (piece.sha256 === undefined || hash.digest("hex") === piece.sha256) return undefined;
    return "not what was hashed when it was written: the disk has changed it";
  } finally {
    await source.close();
  }
}

async function readSome(
  source: FileHandle,
  into: Buffer,
  at: number,
): Promise<{ bytesRead: number; why?: string }> {
  try {
    const { bytesRead } = await source.read(into, 0, into.length, at);
    return bytesRead === 0 ? { bytesRead, why: "its file has become shorter" } : { bytesRead };
  } catch (error) {
    return { bytesRead: 0, why: `its file cannot be read: ${String(error)}` };
  }
}
