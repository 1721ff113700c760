// Runs a scenario without a kernel: the program is played, the fault falls, the machine starts again, everything is drained
// and compared with what was promised; then the program runs once more, and nothing may be left over.

import { describe, type Log, nextTurn, silentLog, systemClock } from "../../../src/base/mod.ts";
import { type Armed, arm } from "./arm.ts";
import { checkExactly, checkPromises, checkSynced } from "./check.ts";
import { drain, dropKept, retryParked } from "./drain.ts";
import { leftovers } from "./leftovers.ts";
import type { Moment } from "./life.ts";
import { LISTING_TTL_MS, Machine } from "./machine.ts";
import { Model } from "./model.ts";
import type { Operation } from "./operations.ts";
import { Player } from "./player.ts";
import { operationsOf, PART_SIZE } from "./programs.ts";
import { type Random, randomOf } from "./random.ts";
import type { Result } from "./result.ts";
import { nameOf, type Scenario } from "./scenario.ts";
import { Watcher } from "./watcher.ts";

/** How often a program is run until its fault has happened. */
const TRIES = 3;

/** Never rejects. */
export async function runInside(scenario: Scenario, log: Log = silentLog): Promise<Result> {
  const start = systemClock.monotonic();
  const failures: string[] = [];
  try {
    await using run = await Run.create(scenario, log);
    failures.push(...(await run.all()));
  } catch (error) {
    failures.push(`it broke: ${describe(error)}\n${error instanceof Error ? error.stack : ""}`);
  }
  return {
    seed: scenario.seed,
    program: scenario.program,
    fault: nameOf(scenario.fault),
    failures,
    ms: Math.round(systemClock.monotonic() - start),
  };
}

class Run implements AsyncDisposable {
  readonly #scenario: Scenario;
  readonly #machine: Machine;
  readonly #random: Random;
  readonly #model = new Model();
  readonly #watcher: Watcher;
  readonly #armed: Armed;
  readonly #failures: string[] = [];
  /** Paths that only a person can decide on. */
  readonly #kept = new Set<string>();
  #player: Player | undefined;
  /** Where the program ran last. */
  #lastRoot = "r0";
  /** Restarts so far. */
  #deaths = 0;
  #isRecovering = false;

  private constructor(scenario: Scenario, machine: Machine) {
    this.#scenario = scenario;
    this.#machine = machine;
    this.#random = randomOf(scenario.seed + 0x5eed);
    this.#armed = arm(scenario.fault, {
      machine,
      model: this.#model,
      random: randomOf(scenario.seed + 0xfa17),
      killWriter: () => this.#player?.kill() ?? false,
      operations: this.#operations("r0"),
    });
    this.#watcher = new Watcher({
      emulator: () => machine.emulator,
      model: this.#model,
      // What is parked, or was damaged, is not waited for.
      isOrdered: !this.#armed.mayFail && scenario.fault.kind !== "damage",
    });
  }

  static async create(scenario: Scenario, log: Log): Promise<Run> {
    const { closeMode, lanes } = scenario;
    const machine = await Machine.create({ closeMode, lanes, log });
    try {
      await machine.start();
      return new Run(scenario, machine);
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  async all(): Promise<string[]> {
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      await this.#suffer(`r${attempt}`);
      if (this.#armed.fired()) break;
      this.#armed.nudge();
    }
    if (!this.#armed.fired()) this.#failures.push("its fault did not happen");
    await this.#armed.clear();
    await this.#recover();
    await this.#runAgain();
    await this.#end();
    return [...this.#failures, ...this.#watcher.failures];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watcher.stop();
    await this.#armed.clear();
    await this.#machine[Symbol.asyncDispose]();
  }

  /** The program runs, and the fault falls during it or while everything is drained. */
  async #suffer(root: string): Promise<void> {
    this.#lastRoot = root;
    await this.#play(this.#operations(root), this.#armed.mayFail);
    if (!this.#armed.fired() && this.#random.next() < 0.5) this.#armed.force();
    await nextTurn();
    await this.#armed.settled();
    await drain(this.#machine);
    if (!this.#armed.fired()) this.#armed.force();
    if (this.#machine.life.isOver) await this.#startAgain();
    else await drain(this.#machine);
  }

  async #startAgain(): Promise<void> {
    const { program, fault } = this.#scenario;
    this.#deaths += 1;
    await this.#machine.buried();
    this.#model.forgetOpen();
    await this.#armed.whileDown();
    if (this.#deaths === 1) this.#killAgain();
    this.#isRecovering = true;
    try {
      await this.#machine.start();
    } catch (error) {
      if (!this.#machine.life.isOver) throw error;
    }
    await drain(this.#machine);
    this.#isRecovering = false;
    // A second death: the fault was armed for a moment that has come now.
    if (this.#machine.life.isOver) return this.#startAgain();
    const publisher = this.#publisher();
    const isDamaged = fault.kind === "damage" && fault.of === "spill";
    if (!isDamaged && program !== "safetensors" && program !== "rsync")
      this.#failures.push(
        ...(await checkSynced(this.#model, publisher, await this.#watcher.look())),
      );
  }

  /** One in two that died dies once more while it recovers. */
  #killAgain(): void {
    const { moments } = this.#machine;
    const random = randomOf(this.#scenario.seed + 0xdead);
    if (random.next() < 0.5) return;
    const kind = random.pick<Moment["kind"]>(["disk", "catalog", "request"]);
    const count = moments.count(kind) + random.log(1, 30);
    moments.at({ kind, edge: random.pick(["before", "after"]), count }, () => {
      if (this.#isRecovering) this.#machine.kill();
    });
  }

  /** The fault has ended: what is parked is tried again, and every promise must be kept. */
  async #recover(): Promise<void> {
    const { fault } = this.#scenario;
    const publisher = this.#publisher();
    if (this.#armed.mayFail) await retryParked(publisher);
    await drain(this.#machine);
    const pending = publisher.pending().filter(({ state }) => state === "parked");
    const isDamaged = fault.kind === "damage";
    if (!isDamaged)
      // What it was built upon, another client has taken away.
      for (const { path, error } of pending)
        if (this.#model.isAlone || error?.startsWith("Conflict: ") !== true)
          this.#failures.push(`${path} is parked: ${error}`);
    if (!this.#model.isAlone) return;
    for (const { path } of pending) this.#kept.add(path);
    this.#failures.push(...checkPromises(this.#model, await this.#watcher.look(), this.#kept));
  }

  async #runAgain(): Promise<void> {
    const isRepeatable = this.#scenario.program !== "rename-directory";
    if (!isRepeatable) this.#lastRoot = "again";
    const operations = this.#operations(this.#lastRoot);
    for (const operation of operations)
      if (operation.do === "create" && operation.private === true)
        await this.#play([{ do: "unlink", path: operation.path }], true);
    // What others have done may be seen late by a program that looks once.
    if (!this.#model.isAlone) {
      await this.#play(isRepeatable ? operations : this.#operations("once"), true);
      await this.#machine.clock.sleep(LISTING_TTL_MS);
    }
    await this.#play(operations, false);
    await drain(this.#machine);
    const visible = await this.#watcher.look();
    if (!this.#model.isAlone) for (const path of this.#model.outcomes.keys()) this.#kept.add(path);
    this.#failures.push(...checkPromises(this.#model, visible, this.#kept));
    this.#failures.push(...checkExactly(this.#model, visible, operations));
  }

  async #end(): Promise<void> {
    const { running } = this.#machine;
    if (running === undefined) return;
    await dropKept(running.publisher);
    await drain(this.#machine);
    const { openHandles } = running.filesystem;
    if (openHandles > 0) this.#failures.push(`left over: ${openHandles} open handles`);
    await running.stop();
    const again = await this.#machine.start();
    const { fault } = this.#scenario;
    const unknownUploads =
      this.#deaths > 0 || fault.kind === "store" || fault.kind === "store down";
    this.#failures.push(
      ...(await leftovers(this.#machine, again.catalog, { unknownUploads, root: this.#lastRoot })),
    );
    await again.stop();
    this.#machine.running = undefined;
  }

  async #play(operations: readonly Operation[], mayFail: boolean): Promise<void> {
    const { running, life } = this.#machine;
    if (running === undefined) return;
    const player = new Player({ filesystem: running.filesystem, model: this.#model, life });
    this.#player = player;
    const ending = await player.play(operations);
    this.#player = undefined;
    if (ending.kind === "failed" && !mayFail)
      this.#failures.push(
        `the program failed: ${ending.code} at ${JSON.stringify(ending.operation)}`,
      );
  }

  #publisher(): NonNullable<Machine["running"]>["publisher"] {
    const { running } = this.#machine;
    if (running === undefined) throw new Error("the mount does not run");
    return running.publisher;
  }

  /** The same for the same root. */
  #operations(root: string): Operation[] {
    const { program, seed } = this.#scenario;
    return operationsOf(program, randomOf(seed + 0x9706), { part: PART_SIZE }, root);
  }
}
