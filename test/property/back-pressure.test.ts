// Random writers over a random spill, with a store that answers in a random order: nobody waits for ever, the bound holds,
// no byte is lost, and only who cannot be streamed is refused. KODOMOUNT_SEED=N repeats a failure.

import fc from "fast-check";
import { expect, test } from "vitest";
import { toKey } from "../../src/model/mod.ts";
import { Driver } from "../support/driver.ts";
import { watched } from "../support/watchdog.ts";
import { drained, type Running, randomContent, request, World } from "../support/world.ts";

const MIB = 1024 * 1024;
const seed = process.env["KODOMOUNT_SEED"];

interface Writer {
  /** In 256 KiB. */
  readonly pieces: number;
  /** After so many pieces it is fsynced: from then on it cannot become streaming. */
  readonly syncAt: number | undefined;
  /** After so many pieces it gives up without a close, as by a signal. */
  readonly diesAt: number | undefined;
  /** Turns of the event loop that it takes between two writes. */
  readonly pause: number;
}

const PIECE = MIB / 4;
const rarely = (max: number): fc.Arbitrary<number | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(max) });
const writer: fc.Arbitrary<Writer> = fc.record({
  pieces: fc.integer({ min: 1, max: 24 }),
  syncAt: rarely(20),
  diesAt: rarely(20),
  pause: fc.integer({ min: 0, max: 20 }),
});

type Outcome =
  | { readonly kind: "saved"; readonly content: Buffer }
  | { readonly kind: "died" }
  | { readonly kind: "failed"; readonly code: string };

class Run {
  written = 0;
  most = 0;
  readonly #running: Running;
  readonly #files: Driver;

  constructor(running: Running) {
    this.#running = running;
    this.#files = new Driver(running.filesystem);
  }

  async write(name: string, { pieces, syncAt, diesAt, pause }: Writer): Promise<Outcome> {
    const { filesystem, spill } = this.#running;
    const content = randomContent(pieces * PIECE);
    const handle = await this.#files.create(name);
    try {
      for (let n = 0; n < pieces; n += 1) {
        if (n === syncAt) await filesystem.fsync(request(), handle, false);
        if (n === diesAt) break;
        await this.#files.write(handle, n * PIECE, content.subarray(n * PIECE, (n + 1) * PIECE));
        this.written += 1;
        this.most = Math.max(this.most, spill.usage().used);
        for (let turn = 0; turn < pause; turn += 1)
          await new Promise((resolve) => setImmediate(resolve));
      }
      if (diesAt !== undefined && diesAt < pieces) {
        const killed = { end: "killed", tgid: 1000, heldElsewhere: false } as const;
        await filesystem.flush(request(), handle, killed);
        await filesystem.release(handle);
        return { kind: "died" };
      }
    } catch (error) {
      await this.#files.close(handle).catch(() => undefined);
      return { kind: "failed", code: (error as { code: string }).code };
    }
    await this.#files.close(handle);
    return { kind: "saved", content };
  }
}

test("S2.14 random writers over a random spill: no deadlock, no lost byte, the bound holds", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(writer, { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 1, max: 16 }),
      fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 12 }),
      fc.constantFrom("commit" as const, "local" as const),
      async (writers, limitMib, delays, closeMode) => {
        await using world = await World.create({ spillLimit: limitMib * MIB, closeMode });
        const running = await world.start();
        for (const [index, delayMs] of delays.entries())
          world.emulator.order({
            kind: "UploadPart",
            fault: { kind: "slow", delayMs },
            count: 3,
            skip: index * 2,
          });
        const run = new Run(running);
        const outcomes = await watched(
          running,
          () => [run.written, world.emulator.requests().length],
          Promise.all(writers.map((each, index) => run.write(`f${index}`, each))),
        );
        expect(run.most).toBeLessThanOrEqual((limitMib + writers.length) * MIB);
        // What dies or is fsynced keeps its place in the spill: only then somebody may be refused.
        const mayFail = writers.some(
          ({ syncAt, diesAt }) => syncAt !== undefined || diesAt !== undefined,
        );
        const failed = outcomes.flatMap((each) => (each.kind === "failed" ? [each.code] : []));
        expect([...new Set(failed)]).toEqual(mayFail && failed.length > 0 ? ["NoSpace"] : []);
        await drained(running, 60_000);
        const store = world.bucket();
        for (const [index, outcome] of outcomes.entries()) {
          const key = toKey(`f${index}`);
          if (outcome.kind === "saved")
            expect((await store.get({ key })).bytes.equals(outcome.content)).toBe(true);
          if (outcome.kind === "failed") expect(await store.head(key)).toBeUndefined();
        }
        store.close();
      },
    ),
    { numRuns: 15, ...(seed === undefined ? {} : { seed: Number(seed) }), verbose: 1 },
  );
}, 300_000);
