// Random operations on the filesystem, with restarts, against files in memory. The seed of a failure is printed by
// fast-check; KODOMOUNT_SEED=N repeats it.

import fc from "fast-check";
import { expect, test } from "vitest";
import { fromMetadata, toKey } from "../../src/model/mod.ts";
import { Driver } from "../support/driver.ts";
import { drained, type Running, request, World } from "../support/world.ts";

const MIB = 1024 * 1024;
const NAMES = ["a", "b", "c"] as const;
const MARK = Buffer.from("user.mark");
const seed = process.env["KODOMOUNT_SEED"];

type Op =
  | {
      readonly kind: "save" | "append";
      readonly name: string;
      readonly size: number;
      readonly fill: number;
    }
  | {
      readonly kind: "patch";
      readonly name: string;
      readonly at: number;
      readonly size: number;
      readonly fill: number;
    }
  | { readonly kind: "truncate"; readonly name: string; readonly size: number }
  | { readonly kind: "rename"; readonly name: string; readonly to: string }
  | { readonly kind: "mark"; readonly name: string; readonly mode: number }
  | { readonly kind: "unlink" | "read"; readonly name: string }
  /** Somebody waits: what is put off is done now, while the next operations come. */
  | { readonly kind: "hurry" }
  | { readonly kind: "restart" };

const name = fc.constantFrom(...NAMES);
const size = fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 3 * MIB }));
const fill = fc.integer({ min: 1, max: 255 });
const mode = fc.integer({ min: 0, max: 0o777 });
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("save" as const, "append" as const),
      name,
      size,
      fill,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("patch" as const), name, at: size, size, fill }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("truncate" as const), name, size }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("rename" as const), name, to: name }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("unlink" as const, "read" as const), name }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("mark" as const), name, mode }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("hurry" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
);

/** Content that differs at every place, so that a part at the wrong place shows. */
function content(length: number, salt: number): Buffer {
  const bytes = Buffer.alloc(length, salt);
  for (let at = 0; at < length; at += 997) bytes.writeUInt8((at / 997 + salt) & 0xff, at);
  return bytes;
}

class Subject {
  files: Driver;
  running: Running;
  readonly model = new Map<string, Buffer>();
  /** Modes that were set, and noted in an extended attribute. */
  readonly modes = new Map<string, number>();
  readonly world: World;

  constructor(world: World, running: Running) {
    this.world = world;
    this.running = running;
    this.files = new Driver(running.filesystem);
  }

  async apply(step: Op): Promise<void> {
    if (step.kind === "restart") return this.restart();
    if (step.kind === "hurry") return this.running.publisher.hurry();
    const before = this.model.get(step.name);
    switch (step.kind) {
      case "save": {
        const bytes = content(step.size, step.fill);
        await this.files.save(step.name, bytes, 300_000);
        this.model.set(step.name, bytes);
        return;
      }
      case "append":
        return this.patch(
          step.name,
          before?.length ?? 0,
          content(Math.min(step.size, MIB), step.fill),
        );
      case "patch":
        return this.patch(step.name, step.at, content(Math.min(step.size, MIB), step.fill));
      case "truncate":
        if (before === undefined) return;
        await this.files.truncate(step.name, step.size);
        this.model.set(
          step.name,
          Buffer.concat([before, Buffer.alloc(Math.max(0, step.size - before.length))]).subarray(
            0,
            step.size,
          ),
        );
        // A change of size without an open handle is closed by nobody: open and close, as truncate(1) does.
        return this.files.close(await this.files.open(step.name));
      case "rename":
        if (before === undefined)
          return expectCode(this.files.rename(step.name, step.to), "NotFound");
        await this.goingOn(step.to === step.name ? undefined : step.to, () =>
          this.files.rename(step.name, step.to),
        );
        this.model.delete(step.name);
        this.model.set(step.to, before);
        return this.moveMode(step.name, step.to);
      case "unlink":
        if (before === undefined) return expectCode(this.files.unlink(step.name), "NotFound");
        await this.goingOn(step.name, () => this.files.unlink(step.name));
        this.model.delete(step.name);
        this.modes.delete(step.name);
        return;
      case "mark":
        if (before === undefined) return expectCode(this.files.stat(step.name), "NotFound");
        return this.mark(step.name, step.mode);
      case "read":
        if (before === undefined) return expectCode(this.files.read(step.name), "NotFound");
        expect((await this.files.read(step.name)).equals(before)).toBe(true);
    }
  }

  async patch(file: string, at: number, bytes: Buffer): Promise<void> {
    const before = this.model.get(file);
    const handle =
      before === undefined ? await this.files.create(file) : await this.files.open(file);
    await this.files.write(handle, at, bytes);
    await this.files.close(handle);
    const after = Buffer.alloc(
      Math.max(before?.length ?? 0, bytes.length === 0 ? 0 : at + bytes.length),
    );
    before?.copy(after);
    bytes.copy(after, at);
    this.model.set(file, after);
  }

  async mark(file: string, mode: number): Promise<void> {
    const { filesystem } = this.running;
    const ino = await this.files.ino(file);
    await filesystem.setattr(request(), ino, { mode });
    await filesystem.setxattr(request(), ino, MARK, {
      bytes: Buffer.from([mode % 256]),
      mode: "set",
    });
    this.modes.set(file, mode);
  }

  moveMode(from: string, to: string): void {
    const mode = this.modes.get(from);
    this.modes.delete(from);
    this.modes.delete(to);
    if (mode !== undefined) this.modes.set(to, mode);
  }

  async checkMode(file: string): Promise<void> {
    const { filesystem } = this.running;
    const mode = this.modes.get(file);
    expect((await this.files.stat(file)).mode & 0o777).toBe(mode ?? 0o644);
    const value = filesystem.getxattr(request(), await this.files.ino(file), MARK);
    if (mode === undefined) return expectCode(value, "NoAttribute");
    expect([...(await value)]).toEqual([mode % 256]);
  }

  /** Who has `file` open while its name goes reads on what was there. */
  async goingOn(file: string | undefined, change: () => Promise<void>): Promise<void> {
    const before = file === undefined ? undefined : this.model.get(file);
    if (file === undefined || before === undefined) return change();
    const handle = await this.files.open(file, { write: false });
    await change();
    const at = Math.max(0, before.length - 100_000);
    const { filesystem } = this.running;
    const read = await filesystem.read(request(), handle, at, before.length - at);
    expect(before.subarray(at).equals(Buffer.from(read))).toBe(true);
    await filesystem.release(handle);
  }

  async restart(): Promise<void> {
    await this.running.stop();
    this.running = await this.world.start();
    this.files = new Driver(this.running.filesystem);
  }

  async check(): Promise<void> {
    expect(await this.files.list("")).toEqual([...this.model.keys()].sort());
    for (const [file, bytes] of this.model) {
      expect((await this.files.stat(file)).size).toBe(bytes.length);
      await this.checkMode(file);
      expect((await this.files.read(file)).equals(bytes)).toBe(true);
    }
  }

  /** The bucket itself, once everything is published. */
  async checkBucket(persists: boolean): Promise<void> {
    await drained(this.running);
    const store = this.world.bucket();
    for (const [file, bytes] of this.model) {
      expect((await store.get({ key: toKey(file) })).bytes.equals(bytes)).toBe(true);
      const { mode = 0 } = fromMetadata((await store.head(toKey(file)))?.metadata ?? {});
      if (persists) expect(mode & 0o777).toBe(this.modes.get(file) ?? 0o644);
    }
    expect(
      this.world.emulator
        .objects("bucket")
        .map(({ key }) => key)
        .sort(),
    ).toEqual([...this.model.keys()].sort());
    // Freed and aborted in the background.
    await expect.poll(() => this.running.spill.listSaves(), { timeout: 20_000 }).toEqual([]);
    await expect.poll(() => this.world.emulator.uploads(), { timeout: 20_000 }).toEqual([]);
  }
}

async function expectCode(promise: Promise<unknown>, code: string): Promise<void> {
  await expect(promise).rejects.toMatchObject({ code });
}

test("the filesystem is files in memory, whatever is done to it and whenever it is restarted", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(op, { minLength: 3, maxLength: 14 }),
      fc.constantFrom("commit" as const, "local" as const),
      fc.boolean(),
      async (ops, closeMode, persistAttributes) => {
        await using world = await World.create({ closeMode, persistAttributes, keepMs: 500 });
        const subject = new Subject(world, await world.start());
        for (const step of ops) {
          await subject.apply(step);
          await subject.check();
        }
        await subject.checkBucket(persistAttributes);
      },
    ),
    { numRuns: 40, ...(seed === undefined ? {} : { seed: Number(seed) }), verbose: 1 },
  );
}, 300_000);
