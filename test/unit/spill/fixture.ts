// A spill on a disk with faults, in a directory of its own; opened again it is what a restart finds.

import { join } from "node:path";
import { silentLog } from "../../../src/base/mod.ts";
import { type SaveId, toPartNumber, toRev, toSaveId } from "../../../src/model/mod.ts";
import {
  type Head,
  type Made,
  type PartRef,
  Spill,
  type SpillOptions,
} from "../../../src/spill/mod.ts";
import { FaultyIo } from "../../support/faulty-io.ts";
import { tempDir } from "../../support/temp.ts";
import { ManualClock } from "../store/manual-clock.ts";

export const SAVE = toSaveId("00000000000000a1");
export const OTHER = toSaveId("00000000000000a2");
export const HEAD: Head = {
  key: "dir/model.bin",
  ino: 7,
  attributes: { mode: 0o100644, uid: 0, gid: 0, mtimeMs: 5 },
};

export function part(partNumber: number, rev = 1, save: SaveId = SAVE): PartRef {
  return { save, partNumber: toPartNumber(partNumber), rev: toRev(rev) };
}

export class Fixture implements AsyncDisposable {
  readonly dir: string;
  readonly io = new FaultyIo();
  readonly clock = new ManualClock();
  /** Whether something pending could free bytes. */
  canFree = false;
  /** Who goes first. */
  readonly streaming = new Set<SaveId>();
  /** What is answered when there is no room, one after the other; then `nothing`. */
  readonly made: Made[] = [];
  /** Who waited each time. */
  readonly asked: SaveId[][] = [];
  readonly #temp: AsyncDisposable;
  readonly #open = new Set<Spill>();

  private constructor(temp: AsyncDisposable & { path: string }) {
    this.#temp = temp;
    this.dir = join(temp.path, "spill");
  }

  static async create(): Promise<Fixture> {
    return new Fixture(await tempDir("spill"));
  }

  /** With a save of that name when it is new. */
  async open(options: Partial<SpillOptions> = {}): Promise<Spill> {
    const spill = await Spill.open({
      dir: this.dir,
      limit: 1_000_000,
      io: this.io,
      log: silentLog,
      clock: this.clock,
      ...options,
    });
    spill.relieveBy({
      expected: () => (this.canFree ? 1_000_000_000 : 0),
      isStreaming: (save) => this.streaming.has(save),
      make: async (waiting) => {
        this.asked.push([...waiting]);
        return this.made.shift() ?? { kind: "nothing" };
      },
    });
    this.#open.add(spill);
    if ((await spill.listSaves()).length === 0) await spill.createSave(SAVE, HEAD);
    return spill;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const spill of this.#open) await spill.close().catch(() => undefined);
    await this.#temp[Symbol.asyncDispose]();
  }
}

/** All bytes of a part, as it says that it is long. */
export async function contentOf(spill: Spill, ref: PartRef): Promise<Buffer> {
  const bytes = Buffer.alloc((await spill.sizeOf(ref)) ?? 0);
  await spill.read(ref, 0, bytes);
  return bytes;
}
