// Runs a scenario on a real mount: the product as processes, programs as processes, SIGKILL as it is.

import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, nextTurn, silentLog, systemClock } from "../../../src/base/mod.ts";
import { type Emulator, startEmulator } from "../../../src/emulator/mod.ts";
import { PROVIDERS } from "../../../src/model/mod.ts";
import { createS3Store, type ObjectStore } from "../../../src/store/mod.ts";
import { isMounted, TestMount, until } from "../../support/mount.ts";
import { type TempDir, tempDir } from "../../support/temp.ts";
import { type AnywherePlan, type Armed, armAnywhere, type Stage } from "./arm.ts";
import { checkExactly, checkPromises } from "./check.ts";
import { contentOf } from "./content.ts";
import { Moments } from "./life.ts";
import { Model } from "./model.ts";
import type { Operation } from "./operations.ts";
import { operationsOf } from "./programs.ts";
import { randomOf } from "./random.ts";
import { RealPlayer } from "./real-player.ts";
import { realProgram } from "./real-programs.ts";
import type { Result } from "./result.ts";
import { nameOf, type Scenario } from "./scenario.ts";
import { Watcher } from "./watcher.ts";

const MIB = 1024 * 1024;
const KEYS = { accessKeyId: "test", secretAccessKey: "testsecret", region: "test" } as const;
const TRIES = 3;
/** What needs no more work of the mount: it waits for a person, or for its rename. */
const KEPT: ReadonlySet<string> = new Set(["interrupted", "parked", "held"]);

/** Never rejects. Faults that only a mount without a kernel can have are replaced by SIGKILL. */
export async function runReal(scenario: Scenario): Promise<Result> {
  const start = systemClock.monotonic();
  const fault = realFault(scenario);
  const failures: string[] = [];
  try {
    await using run = await RealRun.create({ ...scenario, fault });
    failures.push(...(await run.all(fault)));
  } catch (error) {
    failures.push(`it broke: ${describe(error)}`);
  }
  const { seed, program } = scenario;
  const ms = Math.round(systemClock.monotonic() - start);
  return { seed, program: `${program}, real`, fault: nameOf(fault), failures, ms };
}

function realFault({ fault }: Scenario): AnywherePlan {
  if (fault.kind === "store" || fault.kind === "stranger" || fault.kind === "kill") return fault;
  if (fault.kind === "store down") return { ...fault, downMs: Math.min(fault.downMs, 2000) };
  const at = { kind: "operation", edge: "before", count: 3 } as const;
  return { kind: "kill", who: "mount", at: "at" in fault ? fault.at : at };
}

/** The processes and the store of a run, as what a fault acts on. */
class RealStage implements Stage, AsyncDisposable {
  readonly moments = new Moments();
  readonly mount: TestMount;
  emulator: Emulator;
  readonly temp: TempDir;
  /** The mount was killed, and was not started again yet. */
  isDown = false;
  pid = 0;
  readonly #watching = new AbortController();
  readonly #watched: Promise<void>;

  constructor(temp: TempDir, emulator: Emulator, { lanes, closeMode }: Scenario) {
    this.temp = temp;
    this.emulator = emulator;
    const endpoint = { endpoint: emulator.endpoint, ...KEYS, bucket: "bucket" };
    this.mount = new TestMount(temp.path, { ...endpoint, provider: "kodo" }, [
      ...["--part-size", "1M", "--uploads", String(lanes)],
      ...(closeMode === "commit" ? [] : [`--close=${closeMode}`]),
    ]);
    this.#watched = this.#watch();
  }

  async start(): Promise<void> {
    // Programs that a killed mount has left alone may hold it a little longer.
    await until("the mount point is free", () =>
      this.mount.start().then(
        () => true,
        (error: unknown) => {
          if (String(error).includes("busy")) return false;
          throw error;
        },
      ),
    );
    this.pid = (await this.mount.status()).pid;
    this.isDown = false;
  }

  kill(): void {
    if (this.isDown) return;
    this.isDown = true;
    process.kill(this.pid, "SIGKILL");
  }

  async restartStore(downMs: number): Promise<void> {
    const { port } = this.emulator;
    await this.emulator.stop();
    await systemClock.sleep(downMs);
    this.emulator = await startStore(this.temp, port);
  }

  stranger(): ObjectStore {
    const { endpoint } = this.emulator;
    return createS3Store(
      {
        ...{ endpoint, region: "test", bucket: "bucket", prefix: "", provider: PROVIDERS.kodo },
        credentials: { kind: "static", ...KEYS },
        connections: 2,
      },
      { clock: systemClock, log: silentLog },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.abort();
    await this.#watched;
    await this.mount[Symbol.asyncDispose]();
    await this.emulator.stop();
    await this.temp[Symbol.asyncDispose]();
  }

  /** Requests are events; of a process nobody sees those of its disk, which count as requests, too. */
  async #watch(): Promise<void> {
    let seen = 0;
    while (!this.#watching.signal.aborted) {
      const { length } = this.emulator.requests();
      if (length < seen) seen = 0;
      for (; seen < length; seen += 1)
        for (const kind of ["request", "disk", "catalog"] as const)
          for (const edge of ["before", "after"] as const) this.moments.note(kind, edge);
      await systemClock.sleep(2, this.#watching.signal).catch(() => {});
    }
  }
}

class RealRun implements AsyncDisposable {
  readonly #scenario: Scenario;
  readonly #stage: RealStage;
  readonly #model = new Model();
  readonly #watcher: Watcher;
  readonly #failures: string[] = [];
  #player: RealPlayer | undefined;
  #root = "r0";
  #deaths = 0;

  private constructor(scenario: Scenario, stage: RealStage) {
    this.#scenario = scenario;
    this.#stage = stage;
    this.#watcher = new Watcher({
      emulator: () => stage.emulator,
      model: this.#model,
      isOrdered: !(scenario.fault.kind === "store" || scenario.fault.kind === "stranger"),
    });
  }

  static async create(scenario: Scenario): Promise<RealRun> {
    const temp = await tempDir("soak");
    const stage = new RealStage(temp, await startStore(temp), scenario);
    try {
      await stage.start();
      return new RealRun(scenario, stage);
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  async all(fault: AnywherePlan): Promise<string[]> {
    const { seed } = this.#scenario;
    const armed = armAnywhere(fault, {
      machine: this.#stage,
      model: this.#model,
      random: randomOf(seed + 0xfa17),
      killWriter: () => this.#player?.kill() ?? false,
      operations: await this.#operations("r0"),
    });
    try {
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        await this.#suffer(`r${attempt}`, armed);
        if (armed.fired()) break;
        armed.nudge();
      }
      if (!armed.fired()) this.#failures.push("its fault did not happen");
    } finally {
      await armed.clear();
    }
    await this.#recover(armed.mayFail);
    await this.#runAgain();
    await this.#end(fault);
    return [...this.#failures, ...this.#watcher.failures];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watcher.stop();
    this.#player?.kill();
    await this.#stage[Symbol.asyncDispose]();
  }

  async #suffer(root: string, armed: Armed): Promise<void> {
    this.#root = root;
    await this.#play(await this.#operations(root), armed.mayFail);
    await armed.settled();
    if (!armed.fired()) armed.force();
    await nextTurn();
    if (this.#stage.isDown) {
      this.#deaths += 1;
      await this.#stage.mount.died();
      this.#model.forgetOpen();
      await this.#stage.start();
    }
    await this.#drain();
    this.#model.forgetOpen();
  }

  async #recover(mayPark: boolean): Promise<void> {
    const { mount } = this.#stage;
    for (const { path, state, error } of (await mount.status()).pending) {
      if (state !== "parked") continue;
      if (!mayPark) this.#failures.push(`${path} is parked: ${error}`);
      const file = join(mount.dir, path);
      const { code, stderr } = await mount.command(["uploads", "retry", file]);
      if (code !== 0) this.#failures.push(`retry of ${file} ended with ${code}: ${stderr}`);
    }
    await this.#drain();
    if (this.#model.isAlone)
      this.#failures.push(...checkPromises(this.#model, await this.#watcher.look()));
  }

  async #runAgain(): Promise<void> {
    if (this.#scenario.program === "rename-directory") this.#root = "again";
    const operations = await this.#operations(this.#root);
    for (const operation of operations)
      if (operation.do === "create" && operation.private === true)
        await this.#play([{ do: "unlink", path: operation.path }], true);
    await this.#play(operations, false);
    await this.#drain();
    const visible = await this.#watcher.look();
    if (this.#model.isAlone) this.#failures.push(...checkPromises(this.#model, visible));
    this.#failures.push(...checkExactly(this.#model, visible, operations));
  }

  async #end(fault: AnywherePlan): Promise<void> {
    const { mount, pid } = this.#stage;
    const { code, stderr } = await mount.unmount();
    const isKept = (await readdir(join(mount.stateDir, "spill"))).length > 0;
    if (code !== 0 && !isKept) this.#failures.push(`unmount ended with ${code}: ${stderr}`);
    await mount.died();
    if (await isMounted(mount.dir)) this.#failures.push(`left over: the mount of ${pid}`);
    const isExplained = this.#deaths > 0 || fault.kind === "store" || fault.kind === "store down";
    for (const { key } of await this.#stage.emulator.uploads())
      if (!isExplained && key.startsWith(`${this.#root}/`))
        this.#failures.push(`left over: upload of ${key}`);
  }

  async #drain(): Promise<void> {
    const { mount } = this.#stage;
    await until(
      "nothing is pending",
      async () => (await mount.status()).pending.every(({ state }) => KEPT.has(state)),
      60_000,
    );
  }

  async #play(operations: readonly Operation[], mayFail: boolean): Promise<void> {
    const { mount, moments } = this.#stage;
    this.#player = new RealPlayer(mount.dir, { model: this.#model, moments });
    const ending = await this.#player.play(operations);
    this.#player = undefined;
    if (ending.kind === "failed" && !mayFail && !this.#stage.isDown)
      this.#failures.push(`the program failed: ${ending.errno} at ${JSON.stringify(ending.at)}`);
  }

  /** The same for the same root; sources of real programs lie beside the mount. */
  async #operations(root: string): Promise<Operation[]> {
    const { program, seed } = this.#scenario;
    const random = randomOf(seed + 0x9706);
    const { mount, temp } = this.#stage;
    const source = join(temp.path, "source");
    const operations = operationsOf(program, random, { part: MIB }, root);
    const real = realProgram(program, operations, { source, dir: mount.dir, root });
    for (const operation of real)
      if (operation.do === "run")
        for (const { path, name, version, size } of operation.saves) {
          const file = join(source, path);
          await mkdir(dirname(file), { recursive: true });
          await writeFile(file, contentOf(name, version, { offset: 0, size }));
        }
    return real;
  }
}

function startStore(temp: TempDir, port = 0): Promise<Emulator> {
  return startEmulator({
    dir: join(temp.path, "bucket"),
    port,
    buckets: ["bucket"],
    ...KEYS,
    clock: systemClock,
    log: silentLog,
  });
}
