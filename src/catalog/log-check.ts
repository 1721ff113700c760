// Looks through LevelDB's write-ahead logs before LevelDB does: it would step over a damaged record without a word, and
// with it over promises. A tail that a loss of power has torn is fine; damage before an fsync that had ended is not.
// The format: https://github.com/google/leveldb/blob/1.20/doc/log_format.md.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, KodomountError } from "../base/mod.ts";
import { crc32c } from "./crc32c.ts";
import { SYNC_KEY } from "./keys.ts";

const BLOCK_SIZE = 32_768;
const HEADER_SIZE = 7;
const FULL = 1;
const FIRST = 2;
const LAST = 4;

/** How a batch puts `m/sync`: type, length, key. Not in JSON, where control characters are escaped. */
const SYNC_MARK = Buffer.from(`\x01${String.fromCharCode(SYNC_KEY.length)}${SYNC_KEY}`);
/**
 * Synced batches follow one another: with two of them at or behind the damage, the fsync of the first one had ended. A
 * single one may have been under way when the power went.
 */
const SYNCS_BEHIND_MAX = 1;

/** Where the first damage is, in the order of writing. */
interface Damage {
  readonly file: string;
  readonly offset: number;
  /** Synced batches that begin there or later. */
  syncsBehind: number;
}

/** @throws `Corrupt` when something that an fsync had covered is damaged. */
export async function checkLogs(dir: string): Promise<void> {
  const names = (await readdir(dir)).filter((name) => /^\d+\.log$/.test(name));
  let damage: Damage | undefined;
  for (const file of names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)))
    damage = checkLog(file, await readLog(join(dir, file)), damage);
  if (damage !== undefined && damage.syncsBehind > SYNCS_BEHIND_MAX)
    throw new KodomountError(
      "Corrupt",
      `What was synced in ${damage.file} at byte ${damage.offset} is not what was written`,
    );
}

/** The process that has the catalog open may have removed it meanwhile. */
async function readLog(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

/** `known`, or the first damage in this log; what is synced behind it is counted. */
function checkLog(file: string, log: Buffer, known: Damage | undefined): Damage | undefined {
  let damage = known;
  let fragments: Buffer[] = [];
  for (let start = 0; start < log.length; start += BLOCK_SIZE) {
    const end = Math.min(start + BLOCK_SIZE, log.length);
    for (let at = start; at + HEADER_SIZE <= end; ) {
      const record = recordAt(log, at, end);
      if (record === undefined) {
        // LevelDB takes nothing from the rest of the block either.
        damage ??= { file, offset: at, syncsBehind: 0 };
        damage.syncsBehind += countMarks(log.subarray(at, end));
        fragments = [];
        break;
      }
      if (record.type === FULL || record.type === FIRST) fragments = [];
      fragments.push(record.payload);
      if (damage !== undefined && (record.type === FULL || record.type === LAST))
        damage.syncsBehind += countMarks(Buffer.concat(fragments));
      at += HEADER_SIZE + record.payload.length;
    }
  }
  return damage;
}

function countMarks(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(SYNC_MARK); at >= 0; at = bytes.indexOf(SYNC_MARK, at + 1))
    count += 1;
  return count;
}

/** undefined: damaged, or the log ends within the record, as it may when its writer was killed. */
function recordAt(
  log: Buffer,
  at: number,
  blockEnd: number,
): { type: number; payload: Buffer } | undefined {
  const end = at + HEADER_SIZE + log.readUInt16LE(at + 4);
  const type = log.readUInt8(at + 6);
  if (end > blockEnd || type < FULL || type > LAST) return undefined;
  if (masked(crc32c(log.subarray(at + 6, end))) !== log.readUInt32LE(at)) return undefined;
  return { type, payload: log.subarray(at + HEADER_SIZE, end) };
}

/** LevelDB stores checksums of its own data rotated and moved, see `util/crc32c.h`. */
function masked(checksum: number): number {
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}
