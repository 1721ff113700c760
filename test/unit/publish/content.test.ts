// The content of one save, where the property test found something or a rule has a number.

import { join } from "node:path";
import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/mod.ts";
import { toSaveId } from "../../../src/model/mod.ts";
import { Content } from "../../../src/publish/mod.ts";
import { Spill } from "../../../src/spill/mod.ts";
import { tempDir } from "../../support/temp.ts";

const HEAD = { key: "k", ino: 2, attributes: { mode: 0o100644, uid: 0, gid: 0, mtimeMs: 0 } };

async function newContent(spill: Spill, id: string): Promise<Content> {
  await spill.createSave(toSaveId(id), HEAD);
  const plan = { tiers: [{ count: 1000, size: 64 }] };
  return new Content({
    save: toSaveId(id),
    plan,
    spill,
    readBase: async () => Buffer.alloc(0),
    onChange: () => {},
    onFrozen: () => {},
    startPart: async () => {},
  });
}

async function textOf(content: Content): Promise<string> {
  return Buffer.from((await content.read(0, content.size)) ?? []).toString();
}

test("regression: what is appended to a closed save's part and then overwritten does not change the closed save", async () => {
  await using temp = await tempDir();
  const spill = await Spill.open({
    dir: join(temp.path, "spill"),
    limit: 1 << 20,
    log: silentLog,
  });
  const closed = await newContent(spill, "0000000000000001");
  await closed.write(0, Buffer.from("closed"));
  await closed.freezeAll();
  const next = await newContent(spill, "0000000000000002");
  await next.startFrom(closed);
  await next.write(6, Buffer.from(" and more"));
  await next.write(0, Buffer.from("CHANGED"));
  expect(await textOf(closed)).toBe("closed");
  expect(await textOf(next)).toBe("CHANGEDand more");
  await spill.close();
});

test("Content.takeFrozen() gives full parts that the writer has left, but never part 1", async () => {
  await using temp = await tempDir();
  const spill = await Spill.open({
    dir: join(temp.path, "spill"),
    limit: 1 << 20,
    log: silentLog,
  });
  const content = await newContent(spill, "0000000000000001");
  await content.write(0, Buffer.alloc(64 * 3 + 10));
  expect(content.takeFrozen()).toEqual([2, 3]);
  expect(content.takeFrozen()).toEqual([]);
  await spill.close();
});
