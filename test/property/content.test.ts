// The content of one save against a buffer: any mix of writes, cuts, freezes and copies reads back as it should.

import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { silentLog } from "../../src/base/mod.ts";
import type { DataRecord } from "../../src/catalog/mod.ts";
import { joined } from "../../src/catalog/mod.ts";
import { type PartPlan, toSaveId } from "../../src/model/mod.ts";
import { Content } from "../../src/publish/mod.ts";
import { Room, type SmallOptions } from "../../src/publish/save-bytes.ts";
import { type Head, Spill } from "../../src/spill/mod.ts";
import { tempDir } from "../support/temp.ts";

/** Parts of 64 and 128 bytes: a small file has many. */
const PLAN: PartPlan = {
  tiers: [
    { count: 4, size: 64 },
    { count: 1000, size: 128 },
  ],
};
const HEAD: Head = {
  key: "k",
  ino: 2,
  attributes: { mode: 0o100644, uid: 0, gid: 0, mtimeMs: 0 },
};
const BASE = Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 7 + 1) & 0xff));

const offset = fc.integer({ min: 0, max: 900 });
const op = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      offset,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("truncate" as const), size: offset }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("zero" as const),
      offset,
      length: fc.integer({ min: 1, max: 300 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "freeze" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "fork" as const }) },
);

/** What the catalog would have of small content: enough of it to replay the writes. */
class Recorded {
  readonly pieces = new Map<number, DataRecord>();
  readonly head = (): Head => HEAD;
  readonly room = new Room(1 << 20);

  get catalog(): SmallOptions["catalog"] {
    return {
      apply: async (changes) => {
        for (const change of changes) {
          if ("put" in change && change.put === "data")
            this.pieces.set(change.record.index, {
              ...change.record,
              bytes: Buffer.from(change.record.bytes),
            });
          if ("del" in change && change.del === "data") this.pieces.delete(change.index);
        }
      },
    };
  }
}

function newContent(spill: Spill, id: string, small: SmallOptions | undefined): Content {
  return new Content({
    small,
    save: toSaveId(id),
    plan: PLAN,
    spill,
    readBase: async (at, length) => BASE.subarray(at, at + length),
    onChange: () => {},
    onFrozen: () => {},
    startPart: async () => {},
  });
}

/** What is said to be a hole holds zeros, and data and holes follow each other up to the end. */
function expectHoles(content: Content, model: Buffer): void {
  for (let at = 0; at < model.length; ) {
    const data = content.seek(at, "data") ?? model.length;
    expect(data).toBeGreaterThanOrEqual(at);
    expect(model.subarray(at, data).every((byte) => byte === 0)).toBe(true);
    if (data === model.length) return;
    expect(content.seek(at, "hole")).toBe(data > at ? at : content.seek(data, "hole"));
    at = content.seek(data, "hole") ?? model.length;
    expect(at).toBeGreaterThan(data);
  }
}

test("Content reads back what was written, over holes, the object underneath, frozen parts and links", async () => {
  await using temp = await tempDir();
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.boolean(),
      fc.array(op, { minLength: 1, maxLength: 25 }),
      async (isSmall, onBase, ops) => {
        runs += 1;
        const spill = await Spill.open({
          dir: join(temp.path, String(runs)),
          limit: 1 << 30,
          log: silentLog,
        });
        let forks = 0;
        let recorded = new Recorded();
        const begin = async (): Promise<Content> => {
          const id = forks.toString(16).padStart(16, "0");
          if (!isSmall) await spill.createSave(toSaveId(id), HEAD);
          forks += 1;
          recorded = new Recorded();
          return newContent(spill, id, isSmall ? recorded : undefined);
        };
        let content = await begin();
        if (onBase) await content.startFromBase(BASE.length);
        let model = onBase ? Buffer.from(BASE) : Buffer.alloc(0);
        const earlier: { content: Content; model: Buffer }[] = [];
        for (const step of ops) {
          if (step.kind === "write") {
            await content.write(step.offset, step.bytes);
            const size = Math.max(
              model.length,
              step.bytes.length === 0 ? 0 : step.offset + step.bytes.length,
            );
            const next = Buffer.alloc(size);
            model.copy(next);
            next.set(step.bytes, step.offset);
            model = next;
          } else if (step.kind === "truncate") {
            await content.truncate(step.size);
            model = Buffer.concat([
              model,
              Buffer.alloc(Math.max(0, step.size - model.length)),
            ]).subarray(0, step.size);
          } else if (step.kind === "zero") {
            await content.zero(step.offset, step.length);
            model.subarray(step.offset, step.offset + step.length).fill(0);
          } else if (step.kind === "freeze") await content.freezeAll();
          else {
            await content.freezeAll();
            earlier.push({ content, model: Buffer.from(model) });
            const next = await begin();
            expect(await next.startFrom(content)).toBe(true);
            content = next;
          }
          content.checkInvariants();
          expect(content.size).toBe(model.length);
          expectHoles(content, model);
          expect(Buffer.from((await content.read(0, model.length)) ?? []).equals(model)).toBe(true);
        }
        // What a start would find of it in the catalog.
        if (content.isInMemory && recorded.pieces.size > 0) {
          const replayed = joined([...recorded.pieces.values()]);
          expect(replayed.equals(model.subarray(0, replayed.length))).toBe(true);
        }
        // What was closed before must not have changed by what was written on top of it.
        for (const old of earlier)
          expect(
            Buffer.from((await old.content.read(0, old.model.length)) ?? []).equals(old.model),
          ).toBe(true);
        await spill.close();
      },
    ),
    { numRuns: 150 },
  );
}, 120_000);
