// Puts the fault of a scenario in place, and says whether it has happened.

import { join } from "node:path";
import { Background, codeOf, nextTurn, silentLog } from "../../../src/base/mod.ts";
import type { Order } from "../../../src/emulator/mod.ts";
import { toKey, toSha256, toUploadId } from "../../../src/model/mod.ts";
import { contentOf, sha256 } from "./content.ts";
import { assertRefused, damageCatalog, damageSpill } from "./damage.ts";
import type { Moment } from "./life.ts";
import type { Machine } from "./machine.ts";
import type { Model } from "./model.ts";
import { keysOf, type Operation } from "./operations.ts";
import type { Random } from "./random.ts";
import type { FaultPlan } from "./scenario.ts";

export interface Armed {
  /** It has happened. */
  fired(): boolean;
  /** It did not happen in a whole run of the program: it shall happen early in the next. */
  nudge(): void;
  /** The program has ended, or everything is drained: what can happen at any moment happens now. */
  force(): void;
  /** What it has begun has ended. */
  settled(): Promise<void>;
  /** While the machine is down. */
  whileDown(): Promise<void>;
  /** What goes on is ended: the store is itself again, the disk has room. */
  clear(): Promise<void>;
  /** Programs may see errors. */
  readonly mayFail: boolean;
}

/** A machine whose mount is killed, and the store that fails, whether there is a kernel or not. */
export type Stage = Pick<Machine, "emulator" | "moments" | "kill" | "restartStore" | "stranger">;

/** What a fault acts on. */
export interface Scene<M extends Stage = Machine> {
  readonly machine: M;
  readonly model: Model;
  readonly random: Random;
  /** SIGKILL to the program; false when it has ended already. */
  readonly killWriter: () => boolean;
  /** What the program does. */
  readonly operations: readonly Operation[];
}

const NOTHING: Omit<Armed, "fired"> = {
  nudge: () => {},
  force: () => {},
  settled: async () => {},
  whileDown: async () => {},
  clear: async () => {},
  mayFail: false,
};

export function arm(plan: FaultPlan, scene: Scene): Armed {
  switch (plan.kind) {
    case "power loss": {
      const kill = armKill(plan.at, scene);
      return { ...kill, whileDown: () => scene.machine.losePower(scene.random) };
    }
    case "damage":
      return armDamage(plan, scene);
    case "spill full":
      return armDisk("write", "ENOSPC", plan, scene);
    case "spill fsync":
      return armDisk("datasync", "EIO", plan, scene);
    case "catalog full":
      return armCatalog(plan, scene);
    case "clock":
      return armMoment(plan.at, scene, () => {
        if (plan.of === "machine") scene.machine.clock.jump(plan.byMs);
        else scene.machine.skewStore(plan.byMs);
      });
    case "kill":
    case "store":
    case "store down":
    case "stranger":
      return armAnywhere(plan, scene);
  }
}

/** Faults that can be had on a real mount, too. */
export type AnywherePlan = FaultPlan & { kind: "kill" | "store" | "store down" | "stranger" };

export function armAnywhere(plan: AnywherePlan, scene: Scene<Stage>): Armed {
  switch (plan.kind) {
    case "kill":
      return plan.who === "mount" ? armKill(plan.at, scene) : armWriterKill(plan, scene);
    case "store":
      return armStore(plan, scene);
    case "store down":
      return armDown(plan, scene);
    case "stranger":
      return armStranger(plan, scene);
  }
}

/** Something that happens once, at a moment. */
function armMoment(at: Moment, { machine }: Scene<Stage>, act: () => void): Armed {
  let fired = false;
  const once = (): void => {
    if (fired) return;
    fired = true;
    act();
  };
  machine.moments.at(at, once);
  return { ...NOTHING, fired: () => fired, force: once };
}

function armKill(at: Moment, scene: Scene<Stage>): Armed {
  return armMoment(at, scene, () => scene.machine.kill());
}

/** Between two operations, or some turns of the event loop after one has begun. */
function armWriterKill(
  plan: FaultPlan & { kind: "kill" },
  { machine, random, killWriter }: Scene<Stage>,
): Armed {
  let fired = false;
  let turns = random.pick([0, random.log(1, 100)]);
  const act = async (): Promise<void> => {
    for (let turn = 0; turn < turns; turn += 1) await nextTurn();
    if (fired || !killWriter()) return;
    fired = true;
    if (plan.who !== "both") return;
    for (let turn = 0; turn < turns; turn += 1) await nextTurn();
    machine.kill();
  };
  const background = new Background(silentLog);
  const from = machine.moments.count("operation");
  machine.moments.at({ ...plan.at, kind: "operation" }, () => background.run("kill", act));
  return {
    ...NOTHING,
    fired: () => fired,
    nudge: () => {
      turns = 0;
      const count = machine.moments.count("operation") + 2 + from;
      machine.moments.at({ kind: "operation", edge: "before", count }, () =>
        background.run("kill", act),
      );
    },
    settled: () => background.settled(),
  };
}

function armStore(plan: FaultPlan & { kind: "store" }, scene: Scene<Stage>): Armed {
  const { machine } = scene;
  const orders: Order[] = [machine.emulator.order(plan.order)];
  const kill = plan.kill === undefined ? undefined : armKill(plan.kill, scene);
  return {
    ...NOTHING,
    fired: () => orders.some((order) => order.fired > 0) && kill?.fired() !== false,
    nudge: () => orders.push(machine.emulator.order(plan.order)),
    force: () => kill?.force(),
    clear: async () => {
      for (const order of orders) order.cancel();
    },
    mayFail: /^(403|507)/.test(plan.name),
  };
}

function armDown(plan: FaultPlan & { kind: "store down" }, scene: Scene<Stage>): Armed {
  let back: Promise<void> = Promise.resolve();
  const armed = armMoment(plan.at, scene, () => {
    back = scene.machine.restartStore(plan.downMs);
  });
  return { ...armed, clear: () => back };
}

function armStranger(plan: FaultPlan & { kind: "stranger" }, scene: Scene<Stage>): Armed {
  const { machine, model, random, operations } = scene;
  const background = new Background(silentLog);
  const client = machine.stranger();
  let fired = false;
  const put = async (path: string): Promise<void> => {
    const bytes = contentOf(`stranger ${path}`, 1, { offset: 0, size: random.log(1, 50_000) });
    const content = Buffer.from(bytes);
    model.foreign(content);
    const body = { kind: "bytes", bytes: content } as const;
    const digest = toSha256(sha256(content));
    await client.put({ key: toKey(path), body, sha256: digest, metadata: {} });
  };
  const abort = async (): Promise<void> => {
    for (const { key, uploadId } of await machine.emulator.uploads()) {
      fired = true;
      await client.abort({ key: toKey(key), uploadId: toUploadId(uploadId) }).catch((error) => {
        if (codeOf(error) !== "NoSuchUpload") throw error;
      });
    }
  };
  const act = async (): Promise<void> => {
    if (plan.does === "abort") return abort();
    fired = true;
    const [first = "none", ...rest] = keysOf(operations);
    const path = random.pick([first, ...rest]);
    if (plan.does === "put") return put(path);
    model.foreign(undefined);
    return client.delete(toKey(path));
  };
  const actFrom = (at: Moment): void =>
    machine.moments.from(at, () => {
      if (!fired) background.run("a stranger", act);
      return fired;
    });
  actFrom(plan.at);
  return {
    ...NOTHING,
    fired: () => fired,
    // The moment came when no upload was there, or never: the next one will do.
    nudge: () => actFrom({ ...plan.at, count: machine.moments.count(plan.at.kind) + 1 }),
    force: () => {
      if (!fired) background.run("a stranger", act);
    },
    clear: async () => {
      await background.settled();
      client.close();
    },
    mayFail: true,
  };
}

function armDisk(
  kind: "write" | "datasync",
  errno: string,
  plan: { after: number; times: number },
  { machine }: Scene,
): Armed {
  machine.io.fail(kind, errno, plan);
  return {
    ...NOTHING,
    fired: () => machine.io.failures > 0,
    nudge: () => {
      machine.io.heal();
      machine.io.fail(kind, errno, { after: 0, times: 1 });
    },
    clear: async () => machine.io.heal(),
    mayFail: true,
  };
}

function armCatalog(plan: { after: number; times: number }, { machine }: Scene): Armed {
  const { database } = machine;
  database.fillUp(plan.after, plan.times);
  return {
    ...NOTHING,
    fired: () => database.fullCount > 0,
    nudge: () => database.fillUp(0, plan.times),
    clear: async () => database.fillUp(0, 0),
    mayFail: true,
  };
}

/** SIGKILL, and while the mount is down a byte of what it has left is changed. */
function armDamage(plan: FaultPlan & { kind: "damage" }, scene: Scene): Armed {
  const { machine, random } = scene;
  const { sealed } = machine.database;
  let isOver = false;
  const kill = (): void => {
    if (!isOver) machine.kill();
  };
  machine.moments.at(plan.at, kill);
  // Not before there is something that damage shows in.
  const nudge = (): void => {
    const { size } = sealed;
    const request = { kind: "request", edge: "before" } as const;
    machine.moments.from({ ...request, count: machine.moments.count("request") + 1 }, () => {
      if (isOver || sealed.size === size) return isOver;
      kill();
      return true;
    });
  };
  const whileDown = async (): Promise<void> => {
    const dir = join(machine.stateDir, plan.of);
    if (isOver) return;
    if (plan.of === "spill") {
      isOver = await damageSpill(dir, sealed, random);
      return;
    }
    const restore = await damageCatalog(dir, random);
    if (restore === undefined) return;
    isOver = true;
    await assertRefused(machine);
    await restore();
  };
  let hasHappened = false;
  return {
    ...NOTHING,
    fired: () => hasHappened,
    nudge,
    force: kill,
    whileDown: async () => {
      await whileDown();
      hasHappened = isOver;
    },
    clear: async () => {
      isOver = true;
    },
    mayFail: true,
  };
}
